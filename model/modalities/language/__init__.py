"""Texts."""

from omninet.model.modalities.language.modality import LanguageModality

__all__ = ["LanguageModality"]
