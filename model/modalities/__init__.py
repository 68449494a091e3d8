"""Registry of the modalities (paper, section 3.1); each has a folder of its own."""

from __future__ import annotations

from typing import Any

from omninet.model.errors import ConfigError
from omninet.model.modalities.audio import AudioModality
from omninet.model.modalities.base import Form, Modality, Pair, Ready, Resources, Variation
from omninet.model.modalities.language import LanguageModality
from omninet.model.modalities.line import LineModality
from omninet.model.modalities.page import PageModality
from omninet.model.modalities.vision import VisionModality

MODALITIES: dict[str, type[Modality]] = {
    "vision": VisionModality,
    "language": LanguageModality,
    "audio": AudioModality,
    "line": LineModality,
    "page": PageModality,
}


def kind_of(config: Any) -> str:
    """Return the name in MODALITIES of the modality that a peripheral's configuration belongs to.

    Raises:
        ConfigError: the configuration belongs to no modality.
    """
    for name, modality in MODALITIES.items():
        if type(config) is modality.Config:
            return name
    raise ConfigError(f"{config!r} belongs to no modality; known are {', '.join(MODALITIES)}")


def modality_of(config: Any) -> Modality:
    """Create the modality of a peripheral's configuration."""
    return MODALITIES[kind_of(config)](config)


__all__ = ["MODALITIES", "Form", "Modality", "Pair", "Ready", "Resources", "Variation", "kind_of", "modality_of"]
