"""The modalities (paper, section 3.1): one folder each, one line here."""

from __future__ import annotations

from typing import Any

from omninet.model.errors import ConfigError
from omninet.model.modalities.base import Form, Modality, Ready, Resources, Variation
from omninet.model.modalities.language import LanguageModality
from omninet.model.modalities.vision import VisionModality

MODALITIES: dict[str, type[Modality]] = {
    "vision": VisionModality,
    "language": LanguageModality,
}


def kind_of(config: Any) -> str:
    """Return the modality of a peripheral's configuration: its name in MODALITIES.

    Raises:
        ConfigError: it is of none.
    """
    for name, modality in MODALITIES.items():
        if type(config) is modality.Config:
            return name
    raise ConfigError(f"{config!r} configures no peripheral; known are {', '.join(MODALITIES)}")


def modality_of(config: Any) -> Modality:
    """Return the modality that a peripheral's configuration describes."""
    return MODALITIES[kind_of(config)](config)


__all__ = ["MODALITIES", "Form", "Modality", "Ready", "Resources", "Variation", "kind_of", "modality_of"]
