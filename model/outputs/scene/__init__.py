"""Scene output: the words in a picture, where each of them is, and what it says."""

from omninet.model.outputs.scene.output import SceneOutput

__all__ = ["SceneOutput"]
