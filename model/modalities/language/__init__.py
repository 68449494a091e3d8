"""Language modality: texts."""

from omninet.model.modalities.language.modality import LanguageModality

__all__ = ["LanguageModality"]
