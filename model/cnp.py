"""The Central Neural Processor (paper, section 3.2)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from model.config import CNPConfig
from model.kv_cache import KeyValueCache
from model.layers import (
    DecoderLayer,
    EncoderLayer,
    Extend,
    LayerAttention,
    LayerMemory,
    MemoryMasks,
    sinusoid_table,
    start_as_identity,
)
from model.memory import Memory

K = TypeVar("K", bound=Hashable)


@dataclass
class DecoderState:
    """A running batch: what each row attends to, which task it decodes and how far it is.

    Attributes:
        tasks: task of each row.
        positions: outputs that each row has decoded so far, (b,).
        reach: one more than the largest position, kept so that no device is asked for it.
    """

    tasks: list[str]
    memories: list[LayerMemory]
    masks: MemoryMasks
    cache: KeyValueCache
    positions: Tensor
    reach: int = 1

    def reorder(self, rows: Sequence[int]) -> None:
        """As ``select``, of as many rows, each taking the place of one with the same task and memory."""
        if list(rows) != list(range(len(self.tasks))):
            self.cache.select(torch.as_tensor(rows, device=self.positions.device))

    def select(self, rows: Sequence[int]) -> None:
        """Keep the given rows, some of them more than once; the others leave the batch."""
        index = torch.as_tensor(rows, device=self.positions.device)

        def pick(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            return pair[0][index], pair[1][index]

        self.tasks = [self.tasks[i] for i in rows]
        self.memories = [LayerMemory(pick(m.temporal), m.spatial and pick(m.spatial)) for m in self.memories]
        masks = self.masks
        self.masks = MemoryMasks(
            masks.temporal[index], masks.spatial[index], masks.has_spatial[index], masks.frame[index]
        )
        self.cache.select(index)
        self.positions = self.positions[index]


class CNP(nn.Module):
    """Encodes inputs of any domain into a Memory and decodes any task from it.

    Args:
        tasks: name of a task -> classes of its output.
    """

    def __init__(self, config: CNPConfig, domains: Sequence[str], tasks: dict[str, int]) -> None:
        super().__init__()
        d, d_out = config.d_model, config.d_output_embedding
        self.config = config
        self.domains, self.tasks = tuple(domains), tuple(tasks)
        self.control_ids = {name: i for i, name in enumerate([*domains, *tasks])}
        # One row more than there are names: the released weights have it, nothing reads it.
        self.control_embedding = nn.Embedding(len(self.control_ids) + 1, config.d_control)
        self.input_projection = nn.Linear(d + config.d_control, d)
        self.spatial_projection = nn.Linear(d, d)
        self.temporal_projection = nn.Linear(d, d)
        self.temporal_encoder = TemporalEncoder(config)
        self.output_embeddings = nn.ModuleDict(
            {task: nn.Embedding(classes + 1, d_out, padding_idx=classes) for task, classes in tasks.items()}
        )
        self.output_projection = nn.Linear(d_out, d)
        self.task_projection = nn.Linear(config.d_control, d)
        self.decoder = Decoder(config)
        self.classifiers = nn.ModuleDict({task: nn.Linear(d, classes) for task, classes in tasks.items()})
        self._initialise()

    def _initialise(self) -> None:
        """Start where training is quick: what comes in reaches the layers as it is, and at its full size."""
        for layer in (self.input_projection, self.spatial_projection, self.temporal_projection, self.decoder.output):
            start_as_identity(layer)
        nn.init.orthogonal_(self.output_projection.weight)
        for embedding in self.output_embeddings.parameters():
            embedding.data *= 0.5  # below the positions that are added

    def encode(self, x: Tensor, domain: str, memory: Memory | None = None, mask: Tensor | None = None) -> Memory:
        """Append one input to the caches (Algorithm 1).

        Args:
            x: what a peripheral gave, (b, t, s, d).
            domain: name of the input's domain.
            memory: what earlier calls stored; None starts empty.
            mask: (b, t), false at padded steps; None where nothing is padded.

        Raises:
            ValueError: an unknown domain, a shape other than above, or more than ``max_length`` steps.
        """
        if x.dim() != 4 or x.shape[-1] != self.config.d_model:
            raise ValueError(f"an input must be (batch, t, s, {self.config.d_model}), not {tuple(x.shape)}")
        b, t, s, _ = x.shape
        memory = memory or Memory.empty(b, x)
        if mask is not None and (mask.shape != (b, t) or mask.dtype != torch.bool):
            raise ValueError(f"a mask must be booleans ({b}, {t}), not {mask.dtype} {tuple(mask.shape)}")
        if memory.batch != b:
            raise ValueError(f"the memory has {memory.batch} rows, the input {b}")
        if domain not in self.domains:
            raise ValueError(f"{domain!r} is no domain; known are {', '.join(self.domains)}")
        control = self._control(domain).expand(b, t, s, -1)
        x = self.input_projection(torch.cat([x, control], -1))
        temporal = self.temporal_encoder(self.temporal_projection(x.mean(2)), mask)
        valid = torch.ones(b, t, dtype=torch.bool, device=x.device) if mask is None else mask
        spatial = frame = None
        # Algorithm 2 writes "s > 0"; Algorithm 1 and the authors' code keep only s > 1.
        if s > 1 and self.config.spatial_cache:
            spatial = self.spatial_projection(x).flatten(1, 2)
            frame = self._frames(t, s, x.device)
        # The authors' code never masks the spatial cache.
        cells = torch.ones_like(valid) if self.config.gate == "official" else valid
        return memory.append(temporal, valid, spatial, cells.repeat_interleave(s, 1), frame, s)

    def decode(self, memory: Memory, task: str, targets: Tensor, mask: Tensor | None = None) -> Tensor:
        """Teacher-forced log-probabilities of ``targets``.

        Args:
            targets: class ids, (b, n); position i is predicted from the targets before it.
            mask: (b, n), false at padded targets.

        Returns:
            (b, n, c), the natural logarithm.
        """
        self._check_tasks([task])
        x = self.decoder_inputs(memory, task, targets[:, :-1])
        if mask is not None:
            mask = torch.cat([torch.ones_like(mask[:, :1]), mask[:, :-1]], 1)
        hidden, _ = self.decoder(x, memory, mask)
        return _log_probabilities(self.classifiers[task](hidden))

    def decoder_inputs(self, memory: Memory, task: str, tokens: Tensor) -> Tensor:
        """The task's vector, then the embedded outputs: tokens (b, n) -> (b, n + 1, d)."""
        start = self.task_projection(self._control(task)).expand(memory.batch, 1, -1)
        return torch.cat([start, self.output_projection(self.output_embeddings[task](tokens))], 1)

    def start(self, memory: Memory, tasks: Sequence[str], length: int) -> DecoderState:
        """A running batch over ``memory``, one task a row, with room for ``length`` outputs.

        Raises:
            ValueError: ``length`` is over ``max_length``, or tasks and rows differ in number.
        """
        self._check_tasks(tasks)
        if len(tasks) != memory.batch:
            raise ValueError(f"{len(tasks)} tasks for {memory.batch} rows")
        if length > self.config.max_length:
            raise ValueError(f"at most {self.config.max_length} outputs can be decoded, not {length}")
        return DecoderState(
            tasks=list(tasks),
            memories=self.decoder.remember(memory),
            masks=MemoryMasks.of(memory),
            cache=KeyValueCache(self.config, memory.batch, length, memory.temporal),
            positions=torch.zeros(memory.batch, dtype=torch.long, device=memory.temporal.device),
        )

    def step(self, state: DecoderState, tokens: Sequence[int | None]) -> list[Tensor]:
        """Advance every row of a running batch by one output.

        Args:
            tokens: what each row decoded last; None where a row starts.

        Returns:
            natural log-probabilities of each row's next output, each (c,) of the row's task.
        """
        hidden = self.decoder.step(self._embed(state.tasks, tokens)[:, None], state)[:, 0]
        return self._classify(hidden, state.tasks)

    def _embed(self, tasks: list[str], tokens: Sequence[int | None]) -> Tensor:
        """Decoder inputs of one position, (b, d)."""
        x = self.control_embedding.weight.new_empty(len(tasks), self.config.d_model)
        starting = [token is None for token in tokens]
        for (task, start), rows in group(zip(tasks, starting, strict=True)).items():
            if start:
                x[rows] = self.task_projection(self._control(task))
            else:
                ids = torch.tensor([tokens[i] for i in rows], device=x.device)
                x[rows] = self.output_projection(self.output_embeddings[task](ids))
        return x

    def _classify(self, hidden: Tensor, tasks: list[str]) -> list[Tensor]:
        rows: list[Tensor] = [hidden] * len(tasks)
        for task, members in group(tasks).items():
            scores = _log_probabilities(self.classifiers[task](hidden[members]))
            for i, row in zip(members, scores, strict=True):
                rows[i] = row
        return rows

    def _check_tasks(self, tasks: Iterable[str]) -> None:
        for task in tasks:
            if task not in self.tasks:
                raise ValueError(f"{task!r} is no task; known are {', '.join(self.tasks)}")

    def _control(self, name: str) -> Tensor:
        return self.control_embedding.weight[self.control_ids[name]]

    def _frames(self, t: int, s: int, device: torch.device) -> Tensor:
        """Temporal step that each of the t * s spatial vectors is tied to."""
        position = torch.arange(t * s, device=device)
        # The authors' code expands and transposes in an order that ties position p to step p % t.
        return position % t if self.config.gate == "official" else position // s


def _log_probabilities(scores: Tensor) -> Tensor:
    """In float32 at least: in bfloat16 a probability would have two digits."""
    return torch.log_softmax(scores if scores.dtype == torch.float64 else scores.float(), dim=-1)


def group(keys: Iterable[K]) -> dict[K, list[int]]:
    """Positions of each distinct key."""
    groups: dict[K, list[int]] = {}
    for i, key in enumerate(keys):
        groups.setdefault(key, []).append(i)
    return groups


class TemporalEncoder(nn.Module):
    """Self-attention over the steps of one input (paper, Fig. 2 left)."""

    positions: Tensor

    def __init__(self, config: CNPConfig) -> None:
        super().__init__()
        self.recurrent_steps = config.recurrent_steps
        self.register_buffer("positions", sinusoid_table(config.max_length, config.d_model), persistent=False)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """x (b, t, d) and mask (b, t) -> (b, t, d)."""
        t = x.shape[1]
        if t >= len(self.positions):
            raise ValueError(f"an input may have at most {len(self.positions) - 1} steps, not {t}")
        x = self.dropout(x + self.positions[1 : t + 1])
        for _ in range(self.recurrent_steps):
            for layer in self.layers:
                x = layer(x, mask)
        return x


class Decoder(nn.Module):
    """The decoder's layers, over a whole prefix at once or one cached position at a time."""

    positions: Tensor

    def __init__(self, config: CNPConfig) -> None:
        super().__init__()
        self.recurrent_steps = config.recurrent_steps
        self.register_buffer("positions", sinusoid_table(config.max_length, config.d_model), persistent=False)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.output = nn.Linear(config.d_model, config.d_model)

    def remember(self, memory: Memory) -> list[LayerMemory]:
        """Keys and values of ``memory`` for each layer."""
        return [layer.remember(memory) for layer in self.layers]  # type: ignore[operator]

    def forward(self, x: Tensor, memory: Memory, mask: Tensor | None = None) -> tuple[Tensor, list[LayerAttention]]:
        """x (b, n, d) and mask (b, n) -> (b, n, d) and each layer's attention."""
        n = x.shape[1]
        if n >= len(self.positions):
            raise ValueError(f"at most {len(self.positions) - 1} outputs can be decoded, not {n}")
        memories, masks = self.remember(memory), MemoryMasks.of(memory)
        causal = torch.ones(n, n, dtype=torch.bool, device=x.device).tril()[None, None]
        if mask is not None:
            causal = causal & mask[:, None, None, :]
        x = x + self.positions[1 : n + 1]
        attention = []
        for i in range(self.recurrent_steps * len(self.layers)):
            layer = i % len(self.layers)
            x, weights = self.layers[layer](x, memories[layer], masks, causal, mask)
            attention.append(weights)
        return self.output(x), attention

    def step(self, x: Tensor, state: DecoderState) -> Tensor:
        """One position of every row, x (b, 1, d) -> (b, 1, d); the state moves on."""
        reach = state.reach
        seen = torch.arange(reach, device=x.device) <= state.positions[:, None]
        x = x + self.positions[state.positions + 1][:, None]
        for i in range(self.recurrent_steps * len(self.layers)):
            layer = i % len(self.layers)
            x, _ = self.layers[layer](
                x,
                state.memories[layer],
                state.masks,
                seen[:, None, None, :],
                extend=_extender(state.cache, i, state.positions, reach),
            )
        state.positions = state.positions + 1
        state.reach = reach + 1
        hidden: Tensor = self.output(x)
        return hidden


def _extender(cache: KeyValueCache, slot: int, positions: Tensor, reach: int) -> Extend:
    def extend(keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        return cache.append(slot, keys, values, positions, reach)

    return extend
