"""The names of a checkpoint's files, and what can be read of one without its weights. Nothing here imports torch."""

from __future__ import annotations

from pathlib import Path

from omninet.model.model_config import CONFIG, ModelConfig, read_config
from omninet.model.storage.sealed import read_sums

WEIGHTS = "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"
TOKENIZER, CARD = "tokenizer.model", "MODEL_CARD.md"
REQUIRED = (CONFIG, WEIGHTS, TOKENIZER, CARD)
VOCABULARIES = "vocabularies"
BUNDLED = Path(__file__).parents[1] / "bundled"


def skim(folder: Path) -> ModelConfig:
    """Read what a checkpoint is a checkpoint of, and find what can be wrong with it without reading its weights.

    Raises:
        CheckpointError: a file is missing, or the configuration cannot be used.
    """
    read_sums(folder, REQUIRED)
    return read_config(folder)
