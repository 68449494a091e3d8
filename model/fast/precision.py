"""In which precision a network answers, and how near that comes to what it says in float32."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import NamedTuple, cast

import torch
from torch import Tensor

from omninet.model.decoding.batch import decode
from omninet.model.decoding.goal import Goal
from omninet.model.fast.agreement import Agreement
from omninet.model.fast.devices import Precision, check_precision, multiplies_bfloat16
from omninet.model.fast.inference import for_inference
from omninet.model.network.cnp import group
from omninet.model.network.encoding import encode
from omninet.model.network.omninet import OmniNet
from omninet.model.processor import Processor
from omninet.model.rows import Row

CLEAR = 0.1  # nats; a class that is likelier than all others by more must stay so
LARGE = 2**26  # parameters; what a smaller network takes is not the reading of its weights
STEPS = 12  # outputs of each trial
SAMPLES = 4  # of each task


class Settled(NamedTuple):
    """A network as it answers; how it agrees with float32, where it does not compute in that itself."""

    network: OmniNet
    precision: Precision
    agreement: Agreement | None


def settle(network: OmniNet, device: torch.device, wanted: str, processor: Processor) -> Settled:
    """A network at the wanted precision; where that is not float32, it is tried.

    ``auto`` is bfloat16 where the device multiplies it, the network is so large that reading its weights is most of the
    work, and the two agree; else float32.

    Raises:
        DeviceError: the device cannot compute in the wanted precision.
    """
    precision = _candidate(network, device, wanted)
    plain = for_inference(network, device, "float32")
    if precision == "float32":
        return Settled(plain, precision, None)
    batches = trials(processor)
    said = [say(plain, device, rows) for rows in batches]
    quick = for_inference(network, device, precision)
    agreement = compare(said, [repeat(quick, device, *each) for each in zip(batches, said, strict=True)])
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
    """Return batches of every task, of made-up inputs; texts have no end."""
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


class Said(NamedTuple):
    """Tokens (b, n) and the log-probabilities of all classes at each, (b, n, c)."""

    tokens: Tensor
    log_probabilities: Tensor


@torch.inference_mode()
def say(network: OmniNet, device: torch.device, rows: Sequence[Row]) -> Said:
    """What a network decodes from rows of one goal."""
    memory = encode(network, device, rows)
    decoded = decode(network.cnp, memory, [row.goal for row in rows])
    tokens = torch.tensor([each.tokens for each in decoded], device=device)
    return Said(tokens, network.cnp.decode(memory, rows[0].goal.task, tokens))


@torch.inference_mode()
def repeat(network: OmniNet, device: torch.device, rows: Sequence[Row], said: Said) -> Tensor:
    """The log-probabilities of all classes where the tokens are given."""
    return network.cnp.decode(encode(network, device, rows), rows[0].goal.task, said.tokens)


def compare(said: Sequence[Said], found: Sequence[Tensor]) -> Agreement:
    """Log-probabilities with those of float32."""
    outputs = clear = flipped = classes = 0
    difference = 0.0
    for (tokens, wanted), values in zip(said, found, strict=True):
        best = wanted.topk(min(2, wanted.shape[-1])).values
        sure = best[..., 0] - best[..., -1] > CLEAR
        outputs, clear, classes = outputs + tokens.numel(), clear + int(sure.sum()), classes + wanted.numel()
        flipped += int((sure & (values.argmax(-1) != wanted.argmax(-1))).sum())
        difference += float((values - wanted).abs().double().sum())
    return Agreement(outputs, clear, flipped, difference / classes if math.isfinite(difference) else math.inf)
