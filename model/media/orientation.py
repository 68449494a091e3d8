"""Turn and mirror video frames as their display matrix says."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame


class Orientation(NamedTuple):
    """Steps that make a stored frame upright, in this order.

    Attributes:
        transpose: exchange rows and columns.
        mirror: exchange left and right.
        flip: exchange top and bottom.
    """

    transpose: bool = False
    mirror: bool = False
    flip: bool = False


def orientation_of(frame: VideoFrame) -> Orientation:
    """Return the orientation in the display matrix of a frame, to the nearest quarter turn.

    The matrix has the rows (a, b, u), (c, d, v) and (x, y, w): a pixel at column p and row q of the stored frame is
    shown at column a p + c q and row b p + d q, up to a shift.
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(matrix, SideData) or matrix.buffer_size < 36:
        return Orientation()
    a, b, _, c, d, *_ = struct.unpack_from("=9i", bytes(matrix))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)


def upright(pixels: np.ndarray, orientation: Orientation) -> np.ndarray:
    """Return stored pixels (height, width, 3) as they are shown, (3, height', width')."""
    channels_first = pixels.transpose(2, 1, 0) if orientation.transpose else pixels.transpose(2, 0, 1)
    rows, columns = (slice(None, None, -1 if reverse else 1) for reverse in (orientation.flip, orientation.mirror))
    return np.ascontiguousarray(channels_first[:, rows, columns])
