"""Reference implementation of the network in NumPy, for other tests: one row, one position and one head at a time.

It uses only the configuration and the weights of model/. It has no batch, padding, mask or KV cache: every output is
computed from the whole prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from omninet.model.network.cnp import CNP

Vector = NDArray[np.float64]


@dataclass
class Caches:
    """The caches C_t, C_s and L of Algorithm 1."""

    temporal: list[Vector] = field(default_factory=list)
    spatial: list[Vector] = field(default_factory=list)
    links: list[tuple[int, int]] = field(default_factory=list)


class Reference:
    """Reference implementation of a CNP with its weights, in float64."""

    def __init__(self, cnp: CNP) -> None:
        self.config = cnp.config
        self.names = cnp.control_ids
        self.weights: dict[str, Vector] = {
            name: value.detach().double().numpy() for name, value in cnp.state_dict().items()
        }

    def encode(self, inputs: Sequence[tuple[str, Vector]]) -> Caches:
        """Encode pairs of a domain and an input (t, s, d) (Algorithm 1)."""
        caches = Caches()
        for domain, x in inputs:
            t, s, _ = x.shape
            control = self.control(domain)
            mixed = [
                [self.linear("input_projection", np.concatenate([cell, control])) for cell in frame] for frame in x
            ]
            if s > 1 and self.config.spatial_cache:
                caches.spatial += [self.linear("spatial_projection", cell) for frame in mixed for cell in frame]
            frames = [self.linear("temporal_projection", np.sum(frame, axis=0) / s) for frame in mixed]
            caches.temporal += self.temporal_encoder(frames)
            caches.links.append((t, s))
        return caches

    def temporal_encoder(self, steps: list[Vector]) -> list[Vector]:
        """Self-attention over the steps of one input."""
        steps = [x + position(i, len(x)) for i, x in enumerate(steps, 1)]
        for _ in range(self.config.recurrent_steps):
            for i in range(self.config.encoder_layers):
                layer = f"temporal_encoder.layers.{i}"
                if self.config.convolutions.encoder == "only":
                    steps = self.convolutions(f"{layer}.convolution", steps, causal=False)
                else:
                    if self.config.convolutions.encoder == "beside":
                        steps = self.convolutions(f"{layer}.convolutions.0", steps, causal=False)
                    steps = [self.attention(f"{layer}.attention", x, steps)[0] for x in steps]
                block = self.experts if i in self.config.experts.encoder else self.feed_forward
                steps = [block(f"{layer}.feed_forward", x) for x in steps]
        return steps

    def next_output(self, caches: Caches, task: str, tokens: Sequence[int]) -> Vector:
        """Natural log-probabilities of the output that follows ``tokens``, (c,)."""
        embedding = self.weights[f"output_embeddings.{task}.weight"]
        xs = [self.linear("task_projection", self.control(task))]
        xs += [self.linear("output_projection", embedding[token]) for token in tokens]
        xs = [x + position(i, len(x)) for i, x in enumerate(xs, 1)]
        if self.config.mixer:
            xs = [self.attention("decoder.mixers.0.attention", x, caches.temporal)[0] for x in xs]
            for i in range(2):
                xs = self.convolutions(f"decoder.mixers.0.blocks.{i}", xs, causal=True)
        for _ in range(self.config.recurrent_steps):
            for i in range(self.config.decoder_layers):
                layer, block = (
                    f"decoder.layers.{i}",
                    self.experts if i in self.config.experts.decoder else self.feed_forward,
                )
                if self.config.convolutions.decoder:
                    xs = self.convolutions(f"{layer}.convolutions.0", xs, causal=True)
                xs = [self.decoder_layer(layer, xs[: n + 1], caches) for n in range(len(xs))]
                xs = [block(f"{layer}.feed_forward", x) for x in xs]
        return np.log(softmax(self.linear(f"classifiers.{task}", self.linear("decoder.output", xs[-1]))))

    def decoder_layer(self, layer: str, prefix: list[Vector], caches: Caches) -> Vector:
        """Return what a layer gives to its feed-forward block at the last position of ``prefix``."""
        x, _ = self.attention(f"{layer}.self_attention", prefix[-1], prefix)
        x = self.linear(f"{layer}.temporal_projection", x)
        x, temporal = self.attention(f"{layer}.temporal_attention", x, caches.temporal)
        x = self.linear(f"{layer}.spatial_projection", x)
        if caches.spatial:
            gates = [self.spatial_gate(head, caches.links) for head in temporal]
            x, _ = self.attention(f"{layer}.spatial_attention", x, caches.spatial, gates)
        return self.linear(f"{layer}.output_projection", x)

    def spatial_gate(self, temporal: Vector, links: list[tuple[int, int]]) -> Vector:
        """Return the temporal weight that gates each vector of the spatial cache (Algorithm 2)."""
        gate: list[float] = []
        start = 0
        for t, s in links:
            for i in range(t * s if s > 1 else 0):
                frame = i % t if self.config.gate == "official" else i // s
                gate.append(temporal[start + frame])
            start += t
        return np.array(gate)

    def attention(
        self, name: str, x: Vector, others: list[Vector], gates: list[Vector] | None = None
    ) -> tuple[Vector, list[Vector]]:
        """Attend from x to ``others``; return the output and the weights of each head."""
        query = self.linear(f"{name}.query", x)
        keys = np.array([self.linear(f"{name}.key", other) for other in others])
        values = np.array([self.linear(f"{name}.value", other) for other in others])
        k, v = self.config.d_key, self.config.d_value
        heads, weights = [], []
        for h in range(self.config.heads):
            scores = keys[:, h * k : (h + 1) * k] @ query[h * k : (h + 1) * k] / np.sqrt(k)
            weights.append(softmax(scores) if gates is None else self.gated(scores, gates[h]))
            heads.append(weights[-1] @ values[:, h * v : (h + 1) * v])
        mixed = self.linear(f"{name}.output", np.concatenate(heads))
        return self.norm(f"{name}.norm", mixed + x), weights

    def gated(self, scores: Vector, gate: Vector) -> Vector:
        """Return the gated weights (Eq. 1 and its two variants)."""
        if not self.config.link_array:
            return softmax(scores)
        if self.config.gate == "official":
            return softmax(scores * gate)
        weights = softmax(scores) * gate
        return weights if self.config.gate == "paper" else weights / weights.sum()

    def feed_forward(self, name: str, x: Vector) -> Vector:
        """Feed-forward block with residual connection and layer norm."""
        hidden = np.maximum(self.linear(f"{name}.expand", x), 0)
        return self.norm(f"{name}.norm", self.linear(f"{name}.contract", hidden) + x)

    def experts(self, name: str, x: Vector) -> Vector:
        """Mixture of experts with residual connection and layer norm: a loop over the chosen experts."""
        scores = self.weights[f"{name}.gate"] @ x
        chosen = sorted(range(len(scores)), key=lambda number: -scores[number])[: self.config.experts.chosen]
        mixed = x
        for gate, number in zip(softmax(scores[chosen]), chosen, strict=True):
            expert = f"{name}.experts.{number}"
            hidden = np.maximum(self.linear(f"{expert}.expand", x), 0)
            mixed = mixed + gate * self.linear(f"{expert}.contract", hidden)
        return self.norm(f"{name}.norm", mixed)

    def convolutions(self, name: str, xs: list[Vector], causal: bool) -> list[Vector]:
        """Convolutional block: the first two steps and the others, each pair with a residual connection."""
        ys = xs
        options = self.config.convolutions
        for i, (kernel, dilation) in enumerate(zip(options.kernels, options.dilations, strict=True)):
            weight = self.weights[f"{name}.steps.{i}.depthwise"]
            last = kernel - 1 if causal else kernel // 2  # tap of a position itself
            slid = []
            for t in range(len(ys)):
                places = [(tap, t + (tap - last) * dilation) for tap in range(kernel)]
                parts = [weight[:, tap] * np.maximum(ys[at], 0) for tap, at in places if 0 <= at < len(ys)]
                slid.append(np.sum(parts, axis=0))
            ys = [self.norm(f"{name}.steps.{i}.norm", self.linear(f"{name}.steps.{i}.pointwise", y)) for y in slid]
            if i % 2 or i == len(options.kernels) - 1:
                ys = [y + x for y, x in zip(ys, xs, strict=True)]
        return ys

    def norm(self, name: str, x: Vector) -> Vector:
        """Layer norm."""
        scaled = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
        normed: Vector = scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return normed

    def linear(self, name: str, x: Vector) -> Vector:
        """Linear layer, Wx + b."""
        result: Vector = self.weights[f"{name}.weight"] @ x + self.weights[f"{name}.bias"]
        return result

    def control(self, name: str) -> Vector:
        """The control vector of a domain or a task."""
        vector: Vector = self.weights["control_embedding.weight"][self.names[name]]
        return vector


def softmax(scores: Vector) -> Vector:
    """Softmax of one vector."""
    powers = np.exp(scores - scores.max())
    weights: Vector = powers / powers.sum()
    return weights


def position(number: int, width: int) -> Vector:
    """Row ``number`` of the sinusoidal position table, rounded to float32 as in the network."""
    angles = [number / 10000 ** (2 * (i // 2) / width) for i in range(width)]
    values = [np.sin(angle) if i % 2 == 0 else np.cos(angle) for i, angle in enumerate(angles)]
    return np.array(values, dtype=np.float32).astype(np.float64)
