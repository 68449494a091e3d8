"""Small networks and inputs for tests. All numbers are hashes of names, so that no random generator is involved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor, nn

from omninet.model.config import CNPConfig, ConvolutionsConfig, ExpertsConfig, Gate
from omninet.model.network.cnp import CNP, group
from omninet.model.network.cohort import Cohort
from omninet.model.network.memory import Memory, collate
from tests.golden_cases import rules
from tests.model.reference import Reference

GATES: tuple[Gate, ...] = get_args(Gate)
DOMAINS = ("english", "image")
TASKS = {"pos": 5, "caption": 11, "vqa": 7}
WIDTH = 12
# All widths differ where they may, so that a test fails if two are swapped.
SMALL: dict[str, Any] = {
    "d_model": WIDTH,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "heads": 2,
    "d_key": 5,
    "d_value": 3,
    "d_hidden": 16,
    "d_control": 4,
    "d_output_embedding": 7,
    "max_length": 12,
    "dropout": 0.0,
    "attention_dropout": 0.0,
}


def small_cnp(dtype: torch.dtype = torch.float64, **changes: Any) -> CNP:
    """A network of two layers in evaluation mode; its weights are large, so that every module affects the output."""
    cnp = CNP(CNPConfig(**{**SMALL, **changes}), DOMAINS, {task: task for task in TASKS}, TASKS)
    fill(cnp)
    return cnp.to(dtype).eval()


def fill(module: nn.Module) -> None:
    """Set all weights to hashes of their names."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            values = numbers(name, *parameter.shape)
            if name.endswith("norm.weight"):
                values = 1 + 0.2 * values
            elif parameter.dim() == 1:
                values = 0.2 * values
            elif "embedding" not in name:
                values = 1.5 * values / parameter.shape[1] ** 0.5
            parameter.copy_(values)


def numbers(name: str, *shape: int) -> Tensor:
    """Values of mean 0 and variance 1, hashed from the name, float64."""
    return _hashed(name, shape) * 3**0.5


@cache
def _hashed(name: str, shape: tuple[int, ...]) -> Tensor:
    return torch.as_tensor(rules.u(name, shape))


@dataclass(frozen=True)
class Input:
    """One input of one row: t steps of s cells; its values are hashed from its name."""

    domain: str
    t: int
    s: int
    name: str = "x"

    def values(self) -> Tensor:
        """Values of the input, (1, t, s, d)."""
        return numbers(f"{self.name}.{self.domain}.{self.t}.{self.s}", 1, self.t, self.s, WIDTH)


TEXT = Input("english", 4, 1)
SHORT_TEXT = Input("english", 2, 1)
IMAGE = Input("image", 1, 4)
VIDEO = Input("image", 3, 4)


@dataclass(frozen=True)
class Row:
    """Inputs and task of one row."""

    inputs: tuple[Input, ...]
    task: str = "caption"

    def encode(self, cnp: CNP) -> Memory:
        """Encode the row as a batch of one."""
        memory = None
        for x in self.inputs:
            memory = cnp.encode(x.values().to(cnp.control_embedding.weight.dtype), x.domain, memory)
        assert memory is not None
        return memory

    def tokens(self, n: int) -> list[int]:
        """n tokens for teacher forcing."""
        return [(3 * i + len(self.inputs)) % TASKS[self.task] for i in range(n)]


def cohorts_of(cnp: CNP, rows: list[Row]) -> tuple[list[Cohort], list[list[int]]]:
    """A cohort for each task, and the indices of its rows."""
    members = list(group(row.task for row in rows).values())
    memories = [collate([rows[i].encode(cnp) for i in each]) for each in members]
    return [cnp.start(m, rows[each[0]].task) for m, each in zip(memories, members, strict=True)], members


def step_through(cnp: CNP, rows: list[Row], steps: int) -> list[Tensor]:
    """Decode the rows as one batch with the KV cache, teacher-forced: log-probabilities (steps, c) of each row."""
    cohorts, members = cohorts_of(cnp, rows)
    outputs: list[list[Tensor]] = [[] for _ in rows]
    for i in range(steps):
        tokens = [torch.tensor([[rows[j].tokens(steps)[i - 1]] for j in each]) for each in members]
        for each, scores in zip(members, cnp.step(cohorts, tokens), strict=True):
            for j, row in zip(each, scores, strict=True):
                outputs[j].append(row[0])
    return [torch.stack(row) for row in outputs]


EVERYTHING = Row((TEXT, VIDEO, IMAGE, SHORT_TEXT))


EXPERTS = ExpertsConfig(number=4, chosen=2, d_hidden=6, encoder=(1,), decoder=(0, 1))
CONVOLUTIONS = ConvolutionsConfig(encoder="beside", decoder=True, kernels=(3, 5, 3), dilations=(1, 1, 2))
# Configurations for parametrize, one for each way to compute.
NETWORKS: list[dict[str, Any]] = [
    *({"gate": gate} for gate in GATES),
    *({"gate": gate, "recurrent_steps": 2} for gate in GATES),
    {"link_array": False},
    {"spatial_cache": False},
    {"link_array": False, "spatial_cache": False, "recurrent_steps": 2},
    {"experts": EXPERTS},
    {"convolutions": CONVOLUTIONS},
    {"convolutions": replace(CONVOLUTIONS, encoder="only", decoder=False)},
    {"convolutions": replace(CONVOLUTIONS, encoder="none", decoder=False), "mixer": True},
    {"experts": EXPERTS, "convolutions": CONVOLUTIONS, "mixer": True, "recurrent_steps": 2},
]
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4}


def assert_same(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=TOLERANCE[actual.dtype])


def by_reference(cnp: CNP, row: Row, steps: int) -> Tensor:
    """Decode with the reference implementation, every output from the whole prefix: log-probabilities (steps, c)."""
    reference = Reference(cnp)
    caches = reference.encode([(x.domain, x.values()[0].numpy()) for x in row.inputs])
    tokens = row.tokens(steps)
    return torch.as_tensor(np.array([reference.next_output(caches, row.task, tokens[:n]) for n in range(steps)]))
