"""The golden numbers of the authors' implementation (tests/golden/README.md), ready to be compared with.

Everything goes through the name table of ``omninet.model.official``. A further case is one more entry of
``cases.json`` and its ``case_<name>.safetensors``; no test has to be written for it.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from omninet.model.config import CNPConfig, Gate
from omninet.model.network.cnp import CNP
from omninet.model.network.memory import Memory
from omninet.model.official.names import TASKS, convert

GOLDEN = Path(__file__).parent / "golden"
TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-4}
PREFIX = {torch.float64: "f64", torch.float32: "f32"}
# Gate variants of the golden data that OmniNet implements; the other two are not used.
GATES: dict[str, Gate] = {"code.interleaved": "official", "paper.aligned": "paper"}
DOMAINS = {"english": "ENGLISH", "german": "GERMAN", "image": "IMAGE"}
OURS = {theirs: ours for ours, theirs in {**TASKS, **DOMAINS}.items()}

# The rules that make weights and inputs from names; the file is the authors' of the golden data, untyped.
rules: Any = importlib.import_module("tests.golden.hashfill")


@cache
def read_json(name: str) -> Any:
    """The values of ``<name>.json``."""
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


@cache
def read_tensors(name: str) -> dict[str, Tensor]:
    """The arrays of ``<name>.safetensors``."""
    return load_file(GOLDEN / f"{name}.safetensors")


@dataclass(frozen=True)
class Case:
    """One golden case: inputs, and the outputs of the authors' code."""

    name: str

    @property
    def facts(self) -> Any:
        """The case's entry in cases.json."""
        return read_json("cases")[self.name]

    @property
    def arrays(self) -> dict[str, Tensor]:
        """All stored arrays of the case."""
        return read_tensors(f"case_{self.name}")

    @property
    def task(self) -> str:
        """OmniNet's name of the task."""
        return OURS[self.facts["task"]]

    @property
    def targets(self) -> Tensor:
        """Class ids, (b, n)."""
        return self.arrays["in.targets"]

    @property
    def target_mask(self) -> Tensor | None:
        """True at real targets, (b, n)."""
        return real(self.arrays.get("in.target_pad_mask"))

    def expected(self, dtype: torch.dtype) -> dict[str, Tensor]:
        """Expected results in one precision, by name without the precision."""
        prefix = PREFIX[dtype] + "."
        return {key.removeprefix(prefix): value for key, value in self.arrays.items() if key.startswith(prefix)}

    def network(self, gate: Gate = "official", dtype: torch.dtype = torch.float64, **changes: Any) -> CNP:
        """The tiny network with the golden weights."""
        return tiny_cnp(dtype, gate=gate, recurrent_steps=self.facts["recurrent_steps"], **changes)

    def inputs(self, dtype: torch.dtype = torch.float64) -> list[Tensor]:
        """Inputs of the encode calls, each (b, t, s, d)."""
        return [self.arrays[f"in.{i}.x"].to(dtype) for i in range(len(self.facts["encode_calls"]))]

    def encode(self, cnp: CNP, inputs: Iterable[Tensor]) -> Memory:
        """Run all encode calls of the case, in order."""
        memory = None
        for i, (call, x) in enumerate(zip(self.facts["encode_calls"], inputs, strict=True)):
            memory = cnp.encode(x, OURS[call["domain"]], memory, real(self.arrays.get(f"in.{i}.pad_mask")))
        assert memory is not None
        return memory


CASES = [Case(name) for name in read_json("cases")]


def real(pad_mask: Tensor | None) -> Tensor | None:
    """Convert a mask: the authors' masks are 1 at padding, OmniNet's are true at real values."""
    return None if pad_mask is None else pad_mask == 0


def config_of(conf: dict[str, Any], **changes: Any) -> CNPConfig:
    """Convert a configuration of the authors' code to CNPConfig."""
    values = {
        "d_model": conf["input_dim"],
        "encoder_layers": conf["temporal_n_layers"],
        "decoder_layers": conf["decoder_n_layers"],
        "heads": conf["temporal_n_heads"],
        "d_key": conf["temporal_d_k"],
        "d_value": conf["temporal_d_v"],
        "d_hidden": conf["temporal_hidden_dim"],
        "d_control": conf["control_dim"],
        "d_output_embedding": conf["output_embedding_dim"],
        "max_length": conf["max_seq_len"],
        "dropout": conf["dropout"],
        "gate": "official",
    }
    return CNPConfig(**{**values, **changes})


def official_cnp(config: CNPConfig, facts: Any, weights: dict[str, Tensor], dtype: torch.dtype) -> CNP:
    """A CNP with a state dict of the authors' code.

    Args:
        facts: names of the domains and sizes of the tasks, as the golden files give them.
    """
    tasks = {OURS[name]: classes for name, classes in facts["tasks"].items()}
    cnp = CNP(config, [OURS[name] for name in facts["domains"]], {task: task for task in tasks}, tasks)
    cnp.load_state_dict(cnp_names(weights))
    return cnp.to(dtype).eval()


def cnp_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of an official state dict to OmniNet's names."""
    return {name.removeprefix("cnp."): tensor for name, tensor in convert(state).tensors.items()}


def tiny_cnp(dtype: torch.dtype = torch.float64, **changes: Any) -> CNP:
    """The tiny network with the golden weights, in evaluation mode."""
    facts = read_json("tiny_config")
    return official_cnp(config_of(facts["cnp_conf"], **changes), facts, read_tensors("tiny_cnp"), dtype)


def greedy_steps(cnp: CNP, memory: Memory, task: str, steps: int) -> tuple[Tensor, Tensor]:
    """Greedy decoding that does not stop at any token: log-probabilities (b, steps, c) and ids (b, steps)."""
    cohort = cnp.start(memory, task)
    last = torch.zeros(memory.batch, 1, dtype=torch.long)
    scores = []
    for _ in range(steps):
        scores += cnp.step([cohort], [last])
        last = scores[-1].argmax(-1)
    stacked = torch.cat(scores, 1)
    return stacked, stacked.argmax(-1)


def assert_close(actual: Tensor, expected: Tensor) -> None:
    """Assert that the tensors are equal within the tolerance of the golden data for this precision."""
    torch.testing.assert_close(actual, expected, rtol=0, atol=TOLERANCE[expected.dtype])
