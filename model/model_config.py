"""What a checkpoint is a checkpoint of, as ``config.json`` says it. Nothing here imports torch."""

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
    """What ``config.json`` says.

    Attributes:
        format: version of this folder layout.
        text_steps: subwords that a text output may have at most.
        beams: hypotheses that a text is searched with, where the request does not say.
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
            raise ConfigError(f"format {self.format!r} is not that of this version, {FORMAT}")


def read_config(folder: Path) -> ModelConfig:
    """Read what a checkpoint is a checkpoint of, without its weights.

    Raises:
        CheckpointError: there is no configuration, or none that can be used.
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
        CheckpointError: it is missing, or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
