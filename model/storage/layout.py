"""File names of a checkpoint, and a check that does not read the weights. Does not import torch."""

from __future__ import annotations

from pathlib import Path

from omninet.model.model_config import CONFIG, ModelConfig, read_config
from omninet.model.storage.sealed import read_sums

WEIGHTS = "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"
TOKENIZER, CARD = "tokenizer.model", "MODEL_CARD.md"
LICENSE = "LICENSE"  # optional
REQUIRED = (CONFIG, WEIGHTS, TOKENIZER, CARD)
VOCABULARIES = "vocabularies"
TOKENIZERS = "tokenizers"
BUNDLED = Path(__file__).parents[1] / "bundled"


def skim(folder: Path) -> ModelConfig:
    """Read the configuration of a checkpoint and check that its files exist, without reading the weights.

    Raises:
        CheckpointError: a file is missing, or the configuration is invalid.
    """
    read_sums(folder, REQUIRED)
    return read_config(folder)
