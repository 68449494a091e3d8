"""Audio modality: recordings."""

from omninet.model.modalities.audio.modality import AudioModality

__all__ = ["AudioModality"]
