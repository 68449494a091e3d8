"""Imports the modules of all modalities in the fork server, so that forked processes need not import them."""

from __future__ import annotations

from omninet.model.modalities import MODALITIES

for modality in MODALITIES.values():
    modality.peripheral()
