"""Imports the modules of all modalities: the server that processes are forked from has them before any is asked for."""

from __future__ import annotations

from model.modalities import MODALITIES

for modality in MODALITIES.values():
    modality.peripheral()
