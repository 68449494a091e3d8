"""A step of the decoder as one ONNX graph, which ONNX Runtime computes in fewer and quicker operations than torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from omninet.model.network.attention import GatedAttention, MultiHeadAttention
from omninet.model.network.decoder import Decoder
from omninet.model.network.layers import DecoderLayer, FeedForward

OPSET = 17
MICROSOFT = "com.microsoft"  # operators of ONNX Runtime


class DecoderGraph:
    """Builds the graph of one step of rows whose memories have one shape.

    Inputs, where b are rows, n hypotheses, N = b * n, M cached keys, R and P steps and cells of the memory:
        x (N, d): start vectors or embedded tokens, positions added.
        keys_shape, values_shape (4): [b, n, h, k], for keys and for values.
        own_bias (b, 1, n, M): added to the scores of cached keys.
        keys.SLOT, values.SLOT (b, h, M, k): cached keys and values of each run of a layer.
        steps_bias (b, 1, 1, R), steps_keys.LAYER, steps_values.LAYER (b, h, R, k): the temporal cache.
        cells_bias (b, 1, 1, P), cells_keys.LAYER, cells_values.LAYER (b, h, P, k): the spatial cache, of at least one
            cell, whatever it holds.
        link (b, 1, R, P): the link array, 1 where a step gates a cell.
        sees (N, 1), boolean: false in rows with an empty spatial cache, which pass through its attention unchanged.
    Outputs: hidden (N, d), and new_keys.SLOT, new_values.SLOT (b, h, n, k).

    Attributes:
        weights: name -> values of the initializers that the serialised model lacks; most share the decoder's memory.
    """

    def __init__(self, decoder: Decoder) -> None:
        self.inputs: dict[str, Any] = {}
        self.outputs: list[str] = []
        self.weights: dict[str, np.ndarray] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._build(decoder)

    def serialised(self) -> bytes:
        """Return the model as bytes, without weights."""
        outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.outputs]
        inputs = [helper.make_tensor_value_info(name, kind, None) for name, kind in self.inputs.items()]
        graph = helper.make_graph(self._nodes, "step", inputs, outputs, list(self._constants.values()))
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())

    def _build(self, decoder: Decoder) -> None:
        x = self._input("x")
        for slot, number in decoder.runs():
            layer = decoder.layers[number]
            assert isinstance(layer, DecoderLayer)
            x = self._layer(layer, x, slot, number)
        self._op("Identity", self._linear(x, decoder.output), name="hidden")
        self.outputs.insert(0, "hidden")

    def _layer(self, layer: DecoderLayer, x: str, slot: int, number: int) -> str:
        own, steps, cells = layer.self_attention, layer.temporal_attention, layer.spatial_attention
        x = self._attend_own(own, x, slot)
        x = self._linear(x, layer.temporal_projection)
        queries = self._queries(steps, x)
        scores = self._op("Add", self._scores(queries, f"steps_keys.{number}"), self._input("steps_bias"))
        logs = self._op("LogSoftmax", scores, axis=-1)
        weights = self._op("Exp", logs)
        x = self._finish(steps, x, self._op("MatMul", weights, self._input(f"steps_values.{number}")))
        x = self._linear(x, layer.spatial_projection)
        x = self._attend_cells(cells, x, logs if cells.gate == "normalised" else weights, number)
        x = self._linear(x, layer.output_projection)
        forward = layer.feed_forward
        assert isinstance(forward, FeedForward)
        changed = self._linear(self._op("Relu", self._linear(x, forward.expand)), forward.contract)
        return self._norm(forward.norm, self._op("Add", changed, x))

    def _attend_own(self, attention: MultiHeadAttention, x: str, slot: int) -> str:
        queries = self._queries(attention, x)
        keys = self._heads(self._linear(x, attention.key), "keys_shape", f"new_keys.{slot}")
        values = self._heads(self._linear(x, attention.value), "values_shape", f"new_values.{slot}")
        self.outputs += [keys, values]
        before = self._op("Add", self._scores(queries, f"keys.{slot}"), self._input("own_bias"))
        # A hypothesis sees its own new token alone.
        now = self._op("ReduceSum", self._op("Mul", queries, keys), self._numbers([-1]), keepdims=1)
        weights = self._op("Softmax", self._op("Concat", before, now, axis=-1), axis=-1)
        first, last = (self._slice(weights, *ends) for ends in ((0, -1), (-1, 2**31)))
        seen = self._op("MatMul", first, self._input(f"values.{slot}"))
        return self._finish(attention, x, self._op("Add", seen, self._op("Mul", last, values)))

    def _attend_cells(self, attention: GatedAttention, x: str, temporal: str, number: int) -> str:
        """Attend to cells gated by the temporal weights, of which the default gate takes the logarithms."""
        gate = self._op("MatMul", temporal, self._input("link"))
        scores = self._scores(self._queries(attention, x), f"cells_keys.{number}")
        if attention.gate != "paper":
            scores = self._op("Add" if attention.gate == "normalised" else "Mul", scores, gate)
        weights = self._op("Softmax", self._op("Add", scores, self._input("cells_bias")), axis=-1)
        if attention.gate == "paper":
            weights = self._op("Mul", weights, gate)
        changed = self._finish(attention, x, self._op("MatMul", weights, self._input(f"cells_values.{number}")))
        return self._op("Where", self._input("sees", TensorProto.BOOL), changed, x)

    def _queries(self, attention: MultiHeadAttention, x: str) -> str:
        """Project x (N, d) to scaled queries, (b, h, n, k)."""
        return self._heads(self._linear(x, attention.query, attention.scale), "keys_shape")

    def _heads(self, x: str, shape: str, name: str = "") -> str:
        """Split heads: (N, h * k) -> (b, h, n, k)."""
        split = self._op("Reshape", x, self._input(shape, TensorProto.INT64))
        return self._op("Transpose", split, perm=[0, 2, 1, 3], name=name)

    def _scores(self, queries: str, keys: str) -> str:
        return self._op("FusedMatMul", queries, self._input(keys), domain=MICROSOFT, transB=1)

    def _finish(self, attention: MultiHeadAttention, x: str, heads: str) -> str:
        """Join heads (b, h, n, k), project, add x (N, d) and normalise."""
        joined = self._op("Transpose", heads, perm=[0, 2, 1, 3])
        rows = self._op("Reshape", joined, self._numbers([-1, attention.output.in_features]))
        return self._norm(attention.norm, self._op("Add", self._linear(rows, attention.output), x))

    def _linear(self, x: str, layer: nn.Linear, scale: float = 1) -> str:
        weight, bias = (y if scale == 1 else y * scale for y in (layer.weight, layer.bias))
        return self._op("Gemm", x, self._tensor(weight), self._tensor(bias), transB=1)

    def _norm(self, norm: nn.LayerNorm, x: str) -> str:
        scale, bias = self._tensor(norm.weight), self._tensor(norm.bias)
        return self._op("LayerNormalization", x, scale, bias, axis=-1, epsilon=norm.eps)

    def _slice(self, x: str, start: int, end: int) -> str:
        """Slice the last axis of x (b, h, n, m)."""
        return self._op("Slice", x, self._numbers([start]), self._numbers([end]), self._numbers([3]))

    def _op(self, kind: str, *inputs: str, name: str = "", domain: str = "", **attributes: Any) -> str:
        name = name or f"{kind}.{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], name, domain=domain, **attributes))
        return name

    def _input(self, name: str, kind: int = TensorProto.FLOAT) -> str:
        self.inputs[name] = kind
        return name

    def _tensor(self, values: Tensor) -> str:
        name = f"weight.{len(self.weights)}"
        self.weights[name] = values.detach().float().cpu().contiguous().numpy()
        place = onnx.StringStringEntryProto(key="location", value="memory")
        self._constants[name] = TensorProto(
            name=name,
            data_type=TensorProto.FLOAT,
            dims=values.shape,
            data_location=TensorProto.EXTERNAL,
            external_data=[place],
        )
        return name

    def _numbers(self, values: Sequence[int]) -> str:
        return self._constant(np.array(values, dtype=np.int64))

    def _constant(self, values: np.ndarray) -> str:
        name = f"constant.{len(self._constants)}"
        self._constants[name] = numpy_helper.from_array(values, name)
        return name
