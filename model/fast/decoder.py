"""The decoder for inference on CPUs: its steps run as one graph in ONNX Runtime."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from omninet.model.fast.layers import CLOSED
from omninet.model.network.attention import concatenate
from omninet.model.network.cohort import Cohort
from omninet.model.network.decoder import Decoder
from omninet.model.network.layers import DecoderLayer, FeedForward, split_parts
from omninet.model.network.memory import Memory

if TYPE_CHECKING:
    import onnxruntime

LOG = logging.getLogger(__name__)
LEAST = 2**20  # parameters; a smaller decoder is quick enough, and a session takes time to make
DIVIDED = 2**24  # parameters; in a smaller decoder, threads wait for one another longer than they compute
TOLERANCE = 1e-3  # of hidden states, whose size is about 1


class GraphDecoder(Decoder):
    """A decoder whose steps run in ONNX Runtime, each cohort by itself; teacher forcing runs in torch.

    Args:
        decoder: decoder for teacher forcing.
        session: graph of a step (``DecoderGraph``).
        weights: memory that the session reads.
    """

    def __init__(
        self, decoder: Decoder, session: onnxruntime.InferenceSession, weights: Sequence[onnxruntime.OrtValue]
    ) -> None:
        nn.Module.__init__(self)
        self.config, self.layers, self.mixers = decoder.config, decoder.layers, decoder.mixers
        self.register_buffer("positions", decoder.positions, persistent=False)
        self.output = decoder.output
        self.session, self.weights = session, weights

    def run_layers(self, x: Tensor, cohorts: Sequence[Cohort]) -> Tensor:
        """Run the layers at one position of every row, (N, d) -> (N, d); see Decoder."""
        pieces = zip(split_parts(x, cohorts), cohorts, strict=True)
        return concatenate([self._compute(piece, cohort) for piece, cohort in pieces])

    def _compute(self, x: Tensor, cohort: Cohort) -> Tensor:
        if cohort.derived is None:
            cohort.derived = _of_memory(cohort)
        cache = cohort.cache
        own = {"x": x.numpy(), "own_bias": _bias(cache.before()[:, None]).numpy()}
        own |= {f"keys.{slot}": keys.numpy() for slot, keys in enumerate(cache.keys)}
        own |= {f"values.{slot}": values.numpy() for slot, values in enumerate(cache.values)}
        hidden, *new = self.session.run(None, own | cohort.derived)
        for slot, pair in enumerate(zip(new[::2], new[1::2], strict=True)):
            cache.store(slot, *map(torch.from_numpy, pair))
        return torch.from_numpy(hidden)


def graph_decoder(decoder: Decoder) -> GraphDecoder | None:
    """Return a decoder whose steps run in ONNX Runtime, and which shares the weights of ``decoder`` for all else.

    None if the decoder is small, if it has blocks that the graph has not, or if the graph answers otherwise here.
    """
    size = sum(parameter.numel() for parameter in decoder.parameters())
    if size < LEAST or not _is_plain(decoder):
        return None
    import onnxruntime

    from omninet.model.fast.graph import DecoderGraph

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads() if size >= DIVIDED else 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # other processes need the cores
    graph = DecoderGraph(decoder)
    weights = [onnxruntime.OrtValue.ortvalue_from_numpy(values) for values in graph.weights.values()]
    options.add_external_initializers(list(graph.weights), weights)
    session = onnxruntime.InferenceSession(graph.serialised(), options, ["CPUExecutionProvider"])
    found = GraphDecoder(decoder, session, weights)
    if (difference := _difference(found, decoder)) > TOLERANCE:
        LOG.warning("ONNX Runtime's steps differ from torch's by %.1e; steps run in torch", difference)
        return None
    return found


def _is_plain(decoder: Decoder) -> bool:
    """Return True if the decoder consists of what DecoderGraph builds."""
    return not decoder.mixers and all(
        isinstance(layer, DecoderLayer)
        and not layer.convolutions
        and type(layer.feed_forward) is FeedForward
        and layer.spatial_attention.linked
        for layer in decoder.layers
    )


@torch.inference_mode()
def _difference(one: Decoder, other: Decoder) -> float:
    """Return the largest difference of the hidden states of two decoders after two steps of random rows."""
    width = one.positions.shape[1]
    generator = torch.Generator().manual_seed(0)
    steps, cells, *inputs = (torch.randn(*shape, width, generator=generator) for shape in ((2, 3), (2, 6), (2,), (2,)))
    seen, read = torch.ones(2, 6, dtype=torch.bool), torch.ones(2, 3, dtype=torch.bool)
    memory = Memory(steps, read, cells, seen, torch.arange(6).expand(2, -1) % 3, ())
    found = []
    for decoder in (one, other):
        cohort = decoder.start("", memory, 1)
        found.append(torch.stack([decoder.step(x, [cohort]) for x in inputs]))
    return float((found[0] - found[1]).abs().max())


def _of_memory(cohort: Cohort) -> dict[str, np.ndarray]:
    """Return the inputs of the graph that depend on the memories and not on what was decoded."""
    masks, cache = cohort.masks, cohort.cache
    heads, sizes = cache.keys.shape[2], (cache.keys.shape[-1], cache.values.shape[-1])
    frame = masks.frame if masks.frame.shape[1] else masks.frame.new_zeros(cohort.b, 1)
    spatial = masks.spatial if masks.frame.shape[1] else torch.ones(cohort.b, 1, 1, 1, dtype=torch.bool)
    nothing = tuple(torch.zeros(cohort.b, heads, 1, size) for size in sizes)
    found: dict[str, Tensor] = {
        "keys_shape": torch.tensor([cohort.b, cohort.n, heads, sizes[0]]),
        "values_shape": torch.tensor([cohort.b, cohort.n, heads, sizes[1]]),
        "steps_bias": _bias(masks.temporal),
        "cells_bias": _bias(spatial),
        "link": (frame[:, None] == torch.arange(masks.temporal.shape[-1])[:, None]).float()[:, None],
        "sees": masks.has_spatial.repeat_interleave(cohort.n, 0),
    }
    for number, memory in enumerate(cohort.memories):
        found[f"steps_keys.{number}"], found[f"steps_values.{number}"] = memory.temporal
        found[f"cells_keys.{number}"], found[f"cells_values.{number}"] = memory.spatial or nothing
    return {name: x.numpy() for name, x in found.items()}


def _bias(mask: Tensor) -> Tensor:
    """Return 0 where ``mask`` is true and CLOSED where it is false."""
    return torch.where(mask, 0.0, CLOSED)
