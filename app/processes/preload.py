"""Imports the modules of all modalities: the server that processes are forked from has them before any is asked for."""

from __future__ import annotations

from omninet.model.modalities import MODALITIES

for modality in MODALITIES.values():
    modality.peripheral()
