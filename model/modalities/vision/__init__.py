"""Pictures and videos."""

from model.modalities.vision.modality import VisionModality

__all__ = ["VisionModality"]
