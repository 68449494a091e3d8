"""Peripherals (paper, section 3.1): one file a modality, one line here."""

from typing import Any

from model.errors import ConfigError
from model.peripherals.base import Peripheral
from model.peripherals.language import LanguagePeripheral
from model.peripherals.vision import VisionPeripheral

PERIPHERALS: dict[str, type[Peripheral]] = {
    "vision": VisionPeripheral,
    "language": LanguagePeripheral,
}


def kind_of(config: Any) -> str:
    """Return the modality of a peripheral's configuration: its name in PERIPHERALS.

    Raises:
        ConfigError: it is of none.
    """
    for name, kind in PERIPHERALS.items():
        if type(config) is kind.Config:
            return name
    raise ConfigError(f"{config!r} configures no peripheral; known are {', '.join(PERIPHERALS)}")


__all__ = ["PERIPHERALS", "Peripheral", "kind_of"]
