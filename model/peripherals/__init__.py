"""Peripherals (paper, section 3.1): one file a modality, one line here."""

from model.peripherals.base import Peripheral
from model.peripherals.language import LanguagePeripheral
from model.peripherals.vision import VisionPeripheral

PERIPHERALS: dict[str, type[Peripheral]] = {
    "vision": VisionPeripheral,
    "language": LanguagePeripheral,
}

__all__ = ["PERIPHERALS", "Peripheral"]
