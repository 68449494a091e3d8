"""Exits of the network that embeddings are read at (VEMO's encoder exits). Does not import torch."""

from __future__ import annotations

from omninet.model.config import CNPConfig
from omninet.model.decoding.goal import Reads

EXITS = ("best", "balanced", "fast")  # the default first


def reads_of(config: CNPConfig) -> dict[str, Reads]:
    """Return what each exit reads: name -> see ``Goal.reads``.

    ``fast`` is the output of the peripheral, ``balanced`` a middle layer of the temporal encoder, and ``best`` the
    hidden state of the decoder's first step.
    """
    return {"fast": 0, "balanced": (config.encoder_layers + 1) // 2, "best": "hidden"}
