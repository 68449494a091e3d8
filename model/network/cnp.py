"""The Central Neural Processor (paper, section 3.2)."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from omninet.model.config import CNPConfig
from omninet.model.decoding.goal import Depth
from omninet.model.network.attention import concatenate
from omninet.model.network.auxiliary import Auxiliary
from omninet.model.network.cohort import Cohort
from omninet.model.network.decoder import Decoder
from omninet.model.network.layers import (
    LayerAttention,
    start_as_identity,
)
from omninet.model.network.memory import Memory
from omninet.model.network.temporal_encoder import Exits, TemporalEncoder

K = TypeVar("K", bound=Hashable)


class CNP(nn.Module):
    """Central Neural Processor: encodes inputs of any domain into a Memory and decodes any task from it.

    Args:
        tasks: task name -> name of its vocabulary; empty if the task has no vocabulary.
        vocabularies: vocabulary name -> number of classes.
        controls: domains and tasks in the order of their control vectors; None means the domains, then the tasks.
    """

    def __init__(
        self,
        config: CNPConfig,
        domains: Sequence[str],
        tasks: Mapping[str, str],
        vocabularies: Mapping[str, int],
        controls: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        d, d_out = config.d_model, config.d_output_embedding
        self.config = config
        self.domains, self.tasks = tuple(domains), dict(tasks)
        self.control_ids = {name: i for i, name in enumerate(controls or [*domains, *tasks])}
        # One unused row at the end, since the authors' released weights have it.
        self.control_embedding = nn.Embedding(len(self.control_ids) + 1, config.d_control)
        self.input_projection = nn.Linear(d + config.d_control, d)
        self.spatial_projection = nn.Linear(d, d)
        self.temporal_projection = nn.Linear(d, d)
        self.temporal_encoder = TemporalEncoder(config)
        self.output_embeddings = nn.ModuleDict(
            {name: nn.Embedding(classes + 1, d_out, padding_idx=classes) for name, classes in vocabularies.items()}
        )
        self.output_projection = nn.Linear(d_out, d)
        self.task_projection = nn.Linear(config.d_control, d)
        self.decoder = Decoder(config)
        self.classifiers = nn.ModuleDict({name: nn.Linear(d, classes) for name, classes in vocabularies.items()})
        self._initialise()

    def _initialise(self) -> None:
        """Initialise the projections as identities, so that the layers get their inputs unchanged."""
        for layer in (self.input_projection, self.spatial_projection, self.temporal_projection, self.decoder.output):
            start_as_identity(layer)
        nn.init.orthogonal_(self.output_projection.weight)
        for embedding in self.output_embeddings.parameters():
            embedding.data *= 0.5  # smaller than the position vectors that are added

    def encode(
        self,
        x: Tensor,
        domain: str,
        memory: Memory | None = None,
        mask: Tensor | None = None,
        auxiliary: Auxiliary | None = None,
        exits: Exits | None = None,
    ) -> Memory:
        """Append one input to the caches (paper, Algorithm 1).

        Args:
            x: output of a peripheral, (b, t, s, d).
            domain: name of the input's domain.
            memory: caches after the earlier inputs; None starts with empty caches.
            mask: (b, t), false at padded steps; None if nothing is padded.
            auxiliary: gets what the layers return besides their outputs.
            exits: the hidden states at each depth that is a key are appended to its list.

        Raises:
            ValueError: an unknown domain, a wrong shape, or more than ``max_length`` steps.
        """
        if x.dim() != 4 or x.shape[-1] != self.config.d_model:
            raise ValueError(f"an input must be (batch, t, s, {self.config.d_model}), not {tuple(x.shape)}")
        b, t, s, _ = x.shape
        memory = memory or Memory.empty(b, x)
        if mask is not None and (mask.shape != (b, t) or mask.dtype != torch.bool):
            raise ValueError(f"a mask must be booleans ({b}, {t}), not {mask.dtype} {tuple(mask.shape)}")
        if memory.batch != b:
            raise ValueError(f"the memory has {memory.batch} rows, the input {b}")
        if exits and 0 in exits:
            exits[0].append(x.mean(2))
        x = self.with_control(x, self._domain_control(domain))
        temporal = self.encode_steps(x, mask, auxiliary, exits)
        valid = torch.ones(b, t, dtype=torch.bool, device=x.device) if mask is None else mask
        if exits and "cells" in exits:
            exits["cells"].append(self.cells(x))
        spatial = frame = None
        # Algorithm 2 writes "s > 0"; Algorithm 1 and the authors' code keep only s > 1.
        if s > 1 and self.config.spatial_cache:
            spatial = self.cells(x)
            frame = self._frames(t, s, x.device)
        # The authors' code does not mask padding in the spatial cache.
        cells = torch.ones_like(valid) if self.config.gate == "official" else valid
        return memory.append(temporal, valid, spatial, cells.repeat_interleave(s, 1), frame, s)

    def exits(self, x: Tensor, domain: str, mask: Tensor | None, depths: Collection[Depth]) -> dict[Depth, Tensor]:
        """Return the hidden states of an input at some depths (early exits).

        Layers after the deepest requested one do not run.

        Args:
            x, domain, mask: see ``encode``.
            depths: numbers of layers of the temporal encoder, counted from 1 over all recurrent steps; 0 is x averaged
                over its cells, and ``cells`` are those of the spatial cache.

        Returns:
            depth -> hidden states, (b, t, d) or, of cells, (b, P, d).

        Raises:
            ValueError: a depth is greater than the number of layers.
        """
        found: dict[Depth, Tensor] = {0: x.mean(2)} if 0 in depths else {}
        layers = [depth for depth in depths if isinstance(depth, int) and depth]
        x = self.with_control(x, self._domain_control(domain)) if layers or "cells" in depths else x
        if "cells" in depths:
            found["cells"] = self.cells(x)
        if layers:
            states = self.temporal_encoder.depths(self.temporal_projection(x.mean(2)), mask)
            numbered = zip(range(1, max(layers) + 1), states, strict=False)
            found |= {depth: state for depth, state in numbered if depth in layers}
        if missing := set(layers) - found.keys():
            raise ValueError(f"the temporal encoder has no layer {min(missing)}")
        return found

    def cells(self, x: Tensor) -> Tensor:
        """Return what the spatial cache holds of x, (b, t, s, d): (b, t * s, d)."""
        cells: Tensor = self.spatial_projection(x).flatten(1, 2)
        return cells

    def encode_steps(
        self, x: Tensor, mask: Tensor | None = None, auxiliary: Auxiliary | None = None, exits: Exits | None = None
    ) -> Tensor:
        """Run the temporal encoder over x (b, t, s, d), averaged over its cells: (b, t, d); see ``encode``."""
        states: Tensor = self.temporal_projection(x.mean(2))
        layers = self.temporal_encoder.depths(states, mask, auxiliary)
        for depth, states in enumerate(layers, 1):
            if exits and depth in exits:
                exits[depth].append(states)
        return states

    def with_control(self, x: Tensor, control: Tensor) -> Tensor:
        """Concatenate a control vector (d_control) to each vector of x and project back to d: (b, t, s, d)."""
        projected: Tensor = self.input_projection(torch.cat([x, control.expand(*x.shape[:3], -1)], -1))
        return projected

    def _domain_control(self, domain: str) -> Tensor:
        if domain not in self.domains:
            raise ValueError(f"{domain!r} is not a domain; known are {', '.join(self.domains)}")
        return self._control(domain)

    def decode(
        self,
        memory: Memory,
        task: str,
        targets: Tensor,
        mask: Tensor | None = None,
        auxiliary: Auxiliary | None = None,
        attention: list[LayerAttention] | None = None,
    ) -> Tensor:
        """Return the log-probabilities of all classes at each position, with teacher forcing.

        Args:
            targets: class ids, (b, n); position i is predicted from the targets before it.
            mask: (b, n), false at padded targets.
            auxiliary: gets what the layers return besides their outputs.
            attention: the attention of each layer is appended to this list.

        Returns:
            Natural log-probabilities, (b, n, c).
        """
        hidden = self.hidden(memory, task, targets, mask, auxiliary, attention)
        return log_probabilities(self.classifiers[self.tasks[task]](hidden))

    def hidden(
        self,
        memory: Memory,
        task: str,
        targets: Tensor,
        mask: Tensor | None = None,
        auxiliary: Auxiliary | None = None,
        attention: list[LayerAttention] | None = None,
    ) -> Tensor:
        """Return the decoder's hidden states, (b, n, d), with teacher forcing; see ``decode`` for the arguments."""
        self._check_task(task)
        x = self.decoder_inputs(memory, task, targets[:, :-1])
        if mask is not None:
            mask = torch.cat([torch.ones_like(mask[:, :1]), mask[:, :-1]], 1)
        hidden, weights = self.decoder(x, memory, mask, auxiliary)
        if attention is not None:
            attention.extend(weights)
        states: Tensor = hidden
        return states

    def first_hidden(self, memory: Memory, task: str, auxiliary: Auxiliary | None = None) -> Tensor:
        """Return the decoder's hidden state at the first position, (b, 1, d)."""
        self._check_task(task)
        hidden, _ = self.decoder(self._start(memory, task), memory, None, auxiliary)
        states: Tensor = hidden
        return states

    def decoder_inputs(self, memory: Memory, task: str, tokens: Tensor) -> Tensor:
        """Return the task's start vector followed by the embedded tokens: (b, n) -> (b, n + 1, d)."""
        return torch.cat([self._start(memory, task), self.output_projection(self._embedding(task)(tokens))], 1)

    def _start(self, memory: Memory, task: str) -> Tensor:
        """Return the task's start vector, the decoder's first input of every row, (b, 1, d)."""
        start: Tensor = self.task_projection(self._control(task)).expand(memory.batch, 1, -1)
        return start

    def start(self, memory: Memory, task: str, width: int = 1) -> Cohort:
        """Return a cohort of the rows of ``memory`` that decodes ``task`` with ``width`` hypotheses per row."""
        self._check_task(task)
        return self.decoder.start(task, memory, width)

    def step(self, cohorts: Sequence[Cohort], tokens: Sequence[Tensor]) -> list[Tensor]:
        """Advance every row of every cohort by one position, in one run of the decoder.

        Args:
            tokens: for each cohort the last token of each hypothesis, (b, n); ignored in rows at their first position.

        Returns:
            For each cohort the natural log-probabilities of the next tokens, (b, n, c); for tasks without a
            vocabulary the hidden states, (b, n, d).

        Raises:
            ValueError: a row already has ``max_length`` tokens.
        """
        x = concatenate([self._embed(cohort, last).flatten(0, 1) for cohort, last in zip(cohorts, tokens, strict=True)])
        hidden = torch.split(self.decoder.step(x, cohorts), [cohort.b * cohort.n for cohort in cohorts])
        return self._classify(hidden, cohorts)

    def _embed(self, cohort: Cohort, tokens: Tensor) -> Tensor:
        """Embed the last tokens (b, n) of a cohort, or the start vector in rows at their first position: (b, n, d)."""
        starting = [position == 0 for position in cohort.positions]
        if not any(starting):
            embedded: Tensor = self.output_projection(self._embedding(cohort.task)(tokens))
            return embedded
        start: Tensor = self.task_projection(self._control(cohort.task)).expand(*tokens.shape, -1)
        if not any(cohort.positions):
            return start
        x = self.output_projection(self._embedding(cohort.task)(tokens))
        return torch.where(torch.tensor(starting, device=tokens.device)[:, None, None], start, x)

    def _classify(self, hidden: Sequence[Tensor], cohorts: Sequence[Cohort]) -> list[Tensor]:
        found: dict[int, Tensor] = {}
        for vocabulary, members in group(self.tasks[cohort.task] for cohort in cohorts).items():
            if not vocabulary:
                found |= {i: hidden[i] for i in members}
                continue
            scores = log_probabilities(self.classifiers[vocabulary](concatenate([hidden[i] for i in members])))
            found |= dict(zip(members, torch.split(scores, [len(hidden[i]) for i in members]), strict=True))
        return [found[i].view(cohort.b, cohort.n, -1) for i, cohort in enumerate(cohorts)]

    def _embedding(self, task: str) -> nn.Module:
        return self.output_embeddings[self.tasks[task]]

    def _check_task(self, task: str) -> None:
        if task not in self.tasks:
            raise ValueError(f"{task!r} is not a task; known are {', '.join(self.tasks)}")

    def _control(self, name: str) -> Tensor:
        return self.control_embedding.weight[self.control_ids[name]]

    def _frames(self, t: int, s: int, device: torch.device) -> Tensor:
        """Return the temporal step that gates each of the t * s spatial vectors, (t * s)."""
        position = torch.arange(t * s, device=device)
        # The authors' code expands and transposes in an order that ties position p to step p % t.
        return position % t if self.config.gate == "official" else position // s


def log_probabilities(scores: Tensor) -> Tensor:
    """Return the log-softmax of logits (..., c) in float32 or float64; bfloat16 has only two significant digits."""
    return torch.log_softmax(scores if scores.dtype == torch.float64 else scores.float(), dim=-1)


def group(keys: Iterable[K]) -> dict[K, list[int]]:
    """Group the positions of equal keys: key -> its positions, in order of first appearance."""
    groups: dict[K, list[int]] = {}
    for i, key in enumerate(keys):
        groups.setdefault(key, []).append(i)
    return groups
