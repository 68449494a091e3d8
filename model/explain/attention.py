"""Attention of the decoder to the memory, and relevance of cells, recomputed after a row has been decoded."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from omninet.model.decoding.hypotheses import Decoded
from omninet.model.explain.explanation import Attention
from omninet.model.explain.occlusion import Occlusion
from omninet.model.modalities.layout import Layout
from omninet.model.network.encoding import encode
from omninet.model.network.omninet import OmniNet
from omninet.model.rows import Row


def explain(network: OmniNet, device: torch.device, row: Row, decoded: Decoded) -> Iterator[None]:
    """Set ``decoded.attention``, in parts of bounded duration, so that other rows can be decoded between them."""
    started = time.perf_counter()
    attention = attend(network, device, row, decoded.tokens)
    yield
    if attention.spatial is not None:
        occlusion = Occlusion(network, device, row, decoded.tokens)
        yield from occlusion.parts()
        attention = _laid_out(replace(attention, relevance=occlusion.relevance), occlusion.layout)
    decoded.attention = replace(attention, milliseconds=1e3 * (time.perf_counter() - started))


def attend(network: OmniNet, device: torch.device, row: Row, tokens: Sequence[int]) -> Attention:
    """Return the cross-attention of a decoded row.

    The decoded tokens run through the decoder at once with teacher forcing, which gives the same attention as the
    decoding itself. Fast decoding therefore needs no record of the attention.

    Args:
        tokens: decoded class ids, the end token included.
    """
    cnp = network.cnp
    memory = encode(network, device, [row])
    before = torch.tensor([list(tokens[:-1])], dtype=torch.long, device=device)
    _, layers = cnp.decoder(cnp.decoder_inputs(memory, row.goal.task, before), memory)
    temporal = torch.stack([torch.softmax(layer.temporal[0].float(), -1) for layer in layers])
    spatial = [layer.spatial[0].float() for layer in layers if layer.spatial is not None]
    whole = row.goal.explain == "layers"
    return Attention(_array(temporal, whole), _array(torch.stack(spatial), whole) if spatial else None)


def _laid_out(attention: Attention, layout: Layout) -> Attention:
    """Return attention with the grid of a layout; time steps that are columns of one picture become one step."""
    attention = replace(attention, grid=(layout.rows, layout.columns))
    if not layout.by_column:
        return attention
    assert attention.spatial is not None
    spatial = attention.spatial.reshape(*attention.spatial.shape[:3], layout.columns, layout.rows)
    by_row = np.ascontiguousarray(spatial.swapaxes(-1, -2)).reshape(attention.spatial.shape)
    return replace(attention, temporal=attention.temporal.sum(-1, keepdims=True), spatial=by_row)


def _array(values: Tensor, whole: bool) -> np.ndarray:
    array: np.ndarray = (values if whole else values.mean((0, 1), keepdim=True)).cpu().numpy()
    return array
