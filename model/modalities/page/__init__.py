"""Page modality: pictures with writing somewhere on them, such as streets, posters and screens."""

from omninet.model.modalities.page.modality import PageModality

__all__ = ["PageModality"]
