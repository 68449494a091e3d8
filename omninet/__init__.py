"""OmniNet: one network for images, videos and text, its web service and its training.

import omninet

model = omninet.load()
print(model.caption("photo.jpg").caption)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omninet.model.library import Model

__version__ = "0.2.0"
__all__ = ["load"]


def load(folder: Path | str | None = None, *, device: str = "auto", precision: str = "auto") -> Model:
    """Load a checkpoint for inference.

    Args:
        folder: of the checkpoint; None loads the bundled one.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: of matrix products: ``auto``, ``float32``, ``bfloat16`` or ``int8``.

    Raises:
        CheckpointError: the checkpoint cannot be loaded.
        DeviceError: the device cannot be used, or does not support the precision.
    """
    from omninet.model.library import Model

    return Model.load(None if folder is None else Path(folder), device=device, precision=precision)
