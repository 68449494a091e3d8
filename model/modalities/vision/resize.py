"""Bilinear resizing of 8-bit pictures without torch, bit for bit as ``torch.nn.functional.interpolate`` does it.

torch weighs pixels by whole numbers: weights are scaled by a power of two so that the largest fits into 16 bits, and
each of two passes, first along rows and then along columns, rounds to 8 bits. Here each pass is a product of matrices
of floating-point numbers, which is exact: float32 holds every whole number up to 2**24, float64 up to 2**53.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

WEIGHT_BITS, MOST_PRECISION = 15, 22
EXACT_FLOAT32 = 2**24
BLOCK = 16  # outputs of one product, which depend on a small part of the inputs
WIDEST_BLOCK = 2**18  # inputs that the outputs of a block may have together
CACHED = 2**14  # inputs of a side whose weights are kept: others take megabytes


class Block(NamedTuple):
    """Weights of some outputs along one side.

    Attributes:
        outputs, inputs: which outputs these are, and on which inputs they depend.
        weights: whole numbers, of a type that holds their sums exactly, (outputs, inputs).
        precision: number of bits by which the sums are shifted right.
    """

    outputs: slice
    inputs: slice
    weights: np.ndarray
    precision: int


def resize(frames: np.ndarray, height: int, width: int, antialias: bool = True) -> np.ndarray:
    """Resize uint8 frames (..., height', width') to (..., height, width).

    Args:
        antialias: average over all pixels that an output pixel covers; otherwise interpolate the two nearest ones.
    """
    if frames.shape[-1] != width:
        rows = np.empty((*frames.shape[:-1], width), np.uint8)
        for block in _blocks(frames.shape[-1], width, antialias):
            part = frames[..., block.inputs].astype(block.weights.dtype)
            rows[..., block.outputs] = _rounded(part @ block.weights.T, block.precision)
        frames = rows
    if frames.shape[-2] != height:
        columns = np.empty((*frames.shape[:-2], height, frames.shape[-1]), np.uint8)
        for block in _blocks(frames.shape[-2], height, antialias):
            part = frames[..., block.inputs, :].astype(block.weights.dtype)
            columns[..., block.outputs, :] = _rounded(block.weights @ part, block.precision)
        frames = columns
    return np.ascontiguousarray(frames)


def _rounded(sums: np.ndarray, precision: int) -> np.ndarray:
    """Shift sums right by ``precision`` bits, rounding halves up, and clip them to 8 bits; in place."""
    sums += 1 << precision - 1
    sums *= 2.0**-precision
    np.floor(sums, out=sums)
    return np.clip(sums, 0, 255, out=sums)


def _blocks(inputs: int, outputs: int, antialias: bool) -> Iterable[Block]:
    """Return the weights of all outputs of a side."""
    if inputs <= CACHED:
        return _cached_blocks(inputs, outputs, antialias)
    return _whole_weights(inputs, outputs, antialias)


@lru_cache(64)
def _cached_blocks(inputs: int, outputs: int, antialias: bool) -> tuple[Block, ...]:
    return tuple(_whole_weights(inputs, outputs, antialias))


def _whole_weights(inputs: int, outputs: int, antialias: bool) -> Iterator[Block]:
    """Scale the weights to whole numbers by the largest power of two for which they fit into 16 bits."""
    largest = max(float(weights.max()) for _, _, weights in _triangles(inputs, outputs, antialias))
    precision = 0
    while precision < MOST_PRECISION and int(0.5 + largest * (1 << precision + 1)) < 1 << WEIGHT_BITS:
        precision += 1
    for of_outputs, of_inputs, weights in _triangles(inputs, outputs, antialias):
        whole = np.floor(weights * (1 << precision) + 0.5)
        exact = np.float32 if 256 * int(whole.sum(1).max()) < EXACT_FLOAT32 else np.float64
        yield Block(of_outputs, of_inputs, whole.astype(exact), precision)


def _triangles(inputs: int, outputs: int, antialias: bool) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Yield blocks of outputs with their inputs and weights: triangles around the centres, whose rows sum to 1."""
    scale = inputs / outputs
    support = scale if antialias and scale >= 1 else 1.0
    centres = scale * (np.arange(outputs) + 0.5)
    first = np.maximum((centres - support + 0.5).astype(int), 0)
    last = np.minimum((centres + support + 0.5).astype(int), inputs)
    together = max(1, min(BLOCK, int(WIDEST_BLOCK / (2 * support))))
    for start, end in pairwise([*range(0, outputs, together), outputs]):
        places = np.arange(first[start], last[end - 1])
        weights = np.maximum(1 - np.abs((places - centres[start:end, None] + 0.5) / support), 0)
        weights *= (places >= first[start:end, None]) & (places < last[start:end, None])
        yield slice(start, end), slice(first[start], last[end - 1]), weights / weights.sum(1, keepdims=True)
