"""Texts."""

from model.modalities.language.modality import LanguageModality

__all__ = ["LanguageModality"]
