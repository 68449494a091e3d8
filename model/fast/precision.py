"""Choice of the inference precision, and its comparison with float32."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import NamedTuple, cast

import torch
from torch import Tensor

from omninet.model.decoding.batch import decode
from omninet.model.decoding.goal import Goal
from omninet.model.fast.devices import Precision, check_precision, multiplies_bfloat16
from omninet.model.fast.inference import for_inference
from omninet.model.network.cnp import group
from omninet.model.network.encoding import encode
from omninet.model.network.omninet import OmniNet
from omninet.model.processor import Processor
from omninet.model.rows import Row

MARGIN = 0.1  # nats; if float32 prefers a class by more, a lower precision must choose the same class
TOLERANCE = 0.05  # nats; maximum mean absolute difference of log-probabilities
LARGE = 2**26  # parameters; smaller networks are not limited by memory bandwidth, so bfloat16 gains nothing
STEPS = 12  # tokens decoded per trial row
SAMPLES = 4  # trial requests per task


@dataclass(frozen=True)
class Agreement:
    """Comparison of a precision with float32, given the same previous tokens (teacher forcing).

    Attributes:
        outputs: number of compared outputs.
        clear: outputs whose likeliest class in float32 leads by more than ``MARGIN``.
        flipped: clear outputs with another likeliest class in the lower precision.
        difference: mean absolute difference of the log-probabilities of all classes, in nats.
    """

    outputs: int
    clear: int
    flipped: int
    difference: float

    @property
    def holds(self) -> bool:
        """True if no clear output is flipped and the difference is within ``TOLERANCE``."""
        return not self.flipped and self.difference <= TOLERANCE


class Settled(NamedTuple):
    """A network for inference, its precision, and its agreement with float32 (None if the precision is float32)."""

    network: OmniNet
    precision: Precision
    agreement: Agreement | None


def settle(network: OmniNet, device: torch.device, wanted: str, processor: Processor) -> Settled:
    """Prepare a network for inference in the wanted precision, and compare it with float32.

    ``auto`` chooses bfloat16 if the device has bfloat16 products, the network has at least ``LARGE`` parameters and the
    agreement with float32 holds; otherwise float32.

    Args:
        wanted: ``auto``, ``float32``, ``bfloat16`` or ``int8``.
        processor: prepares the synthetic requests of the trial.

    Raises:
        DeviceError: the device does not support the precision.
    """
    precision = _candidate(network, device, wanted)
    plain = for_inference(network, device, "float32")
    if precision == "float32":
        return Settled(plain, precision, None)
    batches = trials(processor)
    references = [decode_reference(plain, device, rows) for rows in batches]
    quick = for_inference(network, device, precision)
    agreement = compare(
        references, [score_reference(quick, device, *each) for each in zip(batches, references, strict=True)]
    )
    if wanted == "auto" and not agreement.holds:
        return Settled(plain, "float32", None)
    return Settled(quick, precision, agreement)


def _candidate(network: OmniNet, device: torch.device, wanted: str) -> Precision:
    check_precision(wanted, device)
    if wanted != "auto":
        return cast("Precision", wanted)
    large = sum(parameter.numel() for parameter in network.parameters()) >= LARGE
    return "bfloat16" if large and multiplies_bfloat16(device) else "float32"


def trials(processor: Processor) -> list[list[Row]]:
    """Return batches of synthetic requests of every task; texts are decoded without an end token."""
    numbers = count()
    rows = [
        row for task in processor.tasks for _ in range(SAMPLES) for row in processor.sample(task, next(numbers)).rows
    ]
    rows = [
        replace(row, goal=Goal(row.goal.task, min(row.goal.steps, STEPS)))
        for row in rows
        if row.goal.reads == "classes"
    ]
    return [[rows[i] for i in alike] for alike in group((row.shape, row.goal) for row in rows).values()]


class Reference(NamedTuple):
    """Decoded tokens (b, n) and the float32 log-probabilities of all classes at each position, (b, n, c)."""

    tokens: Tensor
    log_probabilities: Tensor


@torch.inference_mode()
def decode_reference(network: OmniNet, device: torch.device, rows: Sequence[Row]) -> Reference:
    """Decode rows with equal goals, and compute the log-probabilities of all classes along the decoded tokens."""
    memory = encode(network, device, rows)
    decoded = decode(network.cnp, memory, [row.goal for row in rows])
    tokens = torch.tensor([each.tokens for each in decoded], device=device)
    return Reference(tokens, network.cnp.decode(memory, rows[0].goal.task, tokens))


@torch.inference_mode()
def score_reference(network: OmniNet, device: torch.device, rows: Sequence[Row], references: Reference) -> Tensor:
    """Return the log-probabilities (b, n, c) of a network along the tokens of a reference."""
    return network.cnp.decode(encode(network, device, rows), rows[0].goal.task, references.tokens)


def compare(references: Sequence[Reference], found: Sequence[Tensor]) -> Agreement:
    """Compare log-probabilities (b, n, c) with those of float32, one tensor per reference."""
    outputs = clear = flipped = classes = 0
    difference = 0.0
    for (tokens, wanted), values in zip(references, found, strict=True):
        best = wanted.topk(min(2, wanted.shape[-1])).values
        sure = best[..., 0] - best[..., -1] > MARGIN
        outputs, clear, classes = outputs + tokens.numel(), clear + int(sure.sum()), classes + wanted.numel()
        flipped += int((sure & (values.argmax(-1) != wanted.argmax(-1))).sum())
        difference += float((values - wanted).abs().double().sum())
    return Agreement(outputs, clear, flipped, difference / classes if math.isfinite(difference) else math.inf)
