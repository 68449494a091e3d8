"""Contents of a checkpoint's ``config.json``. Does not import torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omninet.model.config import from_dict, positive
from omninet.model.errors import CheckpointError, ConfigError
from omninet.model.network_config import OmniNetConfig
from omninet.model.storage.upgrade import FORMAT, upgrade

CONFIG = "config.json"


@dataclass(frozen=True)
class ModelConfig:
    """Contents of ``config.json``.

    Attributes:
        name, version: name and version of the model.
        text_steps: maximum length of a text output, in subwords.
        beams: default width of the beam search of text outputs.
        format: version of the checkpoint format.
    """

    name: str
    version: str
    network: OmniNetConfig
    text_steps: int = 40
    beams: int = 1
    format: int = FORMAT

    def __post_init__(self) -> None:
        positive(self, "text_steps", "beams")
        if self.format != FORMAT:
            raise ConfigError(f"format must be {FORMAT}, not {self.format!r}")


def read_config(folder: Path) -> ModelConfig:
    """Read the configuration of a checkpoint folder, upgraded to the current format.

    Raises:
        CheckpointError: the configuration is missing or invalid.
    """
    path = folder / CONFIG
    values = upgrade(read_json(path), str(path))
    try:
        network = OmniNetConfig.from_dict(values.get("network"))
        return from_dict(ModelConfig, values | {"network": network}, "config")
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error


def read_json(path: Path) -> Any:
    """Read a JSON file of a checkpoint.

    Raises:
        CheckpointError: the file is missing or not valid JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
