"""Calibration error of a checkpoint's probabilities, and temperature scaling per task (Guo et al. 2017).

The logits of a task are divided by a temperature, fitted on dev data and folded into the weights of the task's
classifier, so that serving needs no change. Greedy decoding is unaffected except for ties after rounding; beam search
compares whole sequences and may return other texts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from omninet.model import checkpoint as checkpoints
from omninet.model.checkpoint import Checkpoint
from omninet.model.model_config import ModelConfig
from omninet.model.network.cnp import group
from omninet.model.network.omninet import OmniNet
from omninet.model.outputs import OUTPUTS
from omninet.model.predictor import Predictor
from omninet.model.storage.layout import WEIGHTS
from omninet.model.storage.sealed import read_sums
from omninet.model.storage.weights import places
from omninet.training.data import DataError, Example
from omninet.training.evaluate.answering import prepare
from omninet.training.evaluate.markdown import rows, with_section

HEADING = "## Calibration"
BINS = 15  # confidence bins of equal width
BATCH = 16
CHUNK = 4096  # outputs processed at once, to limit memory with a large vocabulary
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0  # range of temperatures
HALVINGS = 25
NEAR = 0.02  # difference of a temperature from 1 that changes no probability by a percent
NOTE = """\
One temperature a task, fitted on all of its dev examples and divided into the weights of its classifier, by
`{command}`. Before and after are of every second example, with a temperature fitted on the others.
ECE: expected calibration error of the likeliest class, in percent, {bins} bins. NLL: mean negative log-probability of
what is right, in nats. Tags and captions are given what is right before them; of each photo one caption, in turn the
first, the second and so on. An answer that the network does not know is an error in ECE and left out in NLL.
"""


@dataclass(frozen=True)
class Outputs:
    """Teacher-forced predictions of a network, and the targets.

    Attributes:
        scores: natural log-probabilities, (n, c).
        wanted: target class ids, (n,); c if the target is not in the vocabulary.
    """

    scores: Tensor
    wanted: Tensor

    def parts(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield chunks of scores and targets."""
        for start in range(0, len(self.wanted), CHUNK):
            yield self.scores[start : start + CHUNK], self.wanted[start : start + CHUNK]

    @property
    def unknown(self) -> int:
        """Return the number of outputs whose target is not in the vocabulary."""
        return int((self.wanted == self.scores.shape[1]).sum())


@dataclass(frozen=True)
class Quality:
    """Quality of probabilities.

    Attributes:
        error: expected calibration error (ECE) of the most likely class, in percent.
        loss: mean negative log-likelihood (NLL) of the targets, in nats.
    """

    error: float
    loss: float


@dataclass(frozen=True)
class Calibration:
    """Temperature of one task, and quality before and after scaling.

    Attributes:
        temperature: fitted on all examples.
        before, after: quality on every second example; the temperature for ``after`` is fitted on the others.
        count: number of outputs in ``before`` and ``after``.
        unknown: number of them whose target is not in the vocabulary.
        counted: plural noun for outputs of this task.
    """

    task: str
    temperature: float
    before: Quality
    after: Quality
    count: int
    unknown: int
    counted: str = "outputs"


def calibrate(predictor: Predictor, examples: Sequence[Example]) -> Calibration:
    """Fit the temperature of one task without changing the network.

    Raises:
        DataError: there are fewer than two examples with a known answer.
    """
    even, odd = (collect(predictor, examples, start) for start in (0, 1))
    after = quality(odd, fit(even))
    task = examples[0].task
    counted = predictor.output(task).counted
    return Calibration(task, fit(even, odd), quality(odd), after, len(odd.wanted), odd.unknown, counted)


def unaffected_tasks(config: ModelConfig) -> list[str]:
    """Return the classifying tasks whose answers a temperature does not change: greedy decoding or named classes."""
    tasks = [task for task in config.network.tasks.values() if task.vocabulary]
    return [task.name for task in tasks if config.beams == 1 or OUTPUTS[task.output].named]


def fold(network: OmniNet, task: str, temperature: float) -> None:
    """Fold a temperature into a task: divide the weights of its vocabulary's classifier by it.

    Raises:
        DataError: another task shares the vocabulary and would be scaled as well.
    """
    vocabulary = network.config.tasks[task].vocabulary
    sharing = [other.name for other in network.config.tasks.values() if other.vocabulary == vocabulary]
    if len(sharing) > 1:
        raise DataError(f"{' and '.join(sharing)} share the vocabulary {vocabulary} and need one temperature each")
    with torch.no_grad():
        for parameter in network.cnp.classifiers[vocabulary].parameters():
            parameter.div_(temperature)


def quality(outputs: Outputs, temperature: float = 1.0) -> Quality:
    """Compute ECE and NLL of probabilities scaled by a temperature."""
    gaps = torch.zeros(BINS, dtype=torch.double)
    loss = 0.0
    for scores, wanted in outputs.parts():
        values = torch.log_softmax(scores.double() / temperature, -1)
        best = values.max(-1)
        confidence, right = best.values.exp(), (best.indices == wanted).double()
        gaps.index_add_(0, (confidence * BINS).long().clamp(max=BINS - 1), confidence - right)
        known = wanted < scores.shape[1]
        loss -= float(values[known, wanted[known]].sum())
    count = len(outputs.wanted)
    return Quality(100 * float(gaps.abs().sum()) / count, loss / (count - outputs.unknown))


def fit(*outputs: Outputs) -> float:
    """Return the temperature with the least negative log-likelihood, by bisection.

    The loss is convex in the inverse temperature, so its derivative changes sign once.

    Raises:
        DataError: no output has a known target.
    """
    if all(given.unknown == len(given.wanted) for given in outputs):
        raise DataError("calibration needs at least two examples with known answers")
    low, high = math.log(MIN_TEMPERATURE), math.log(MAX_TEMPERATURE)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if sum(_slope(given, math.exp(-middle)) for given in outputs) > 0:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)


def _slope(outputs: Outputs, inverse: float) -> float:
    """Return the derivative of the loss by the inverse temperature: expected score minus the target's score."""
    total = 0.0
    for scores, wanted in outputs.parts():
        known = wanted < scores.shape[1]
        said, right = scores[known], wanted[known]
        expected = (torch.softmax(said * inverse, -1) * said).sum(-1)
        total += float((expected - said.gather(1, right[:, None])[:, 0]).double().sum())
    return total


@torch.inference_mode()
def collect(predictor: Predictor, examples: Sequence[Example], start: int = 0, step: int = 2) -> Outputs:
    """Compute the outputs for every ``step``-th example from ``start``, preprocessed as in serving.

    Raises:
        DataError: there is no such example.
    """
    numbers = range(start, len(examples), step)
    found: list[tuple[Tensor, Tensor]] = []
    for i in tqdm(range(0, len(numbers), BATCH), desc=f"{examples[0].task}, part {start + 1} of {step}"):
        members = numbers[i : i + BATCH]
        wanted = [torch.tensor(_wanted(predictor, examples[number], number)) for number in members]
        found += _batch(predictor, [examples[number] for number in members], wanted)
    if not found:
        raise DataError("calibration needs at least two examples with known answers")
    return Outputs(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def _wanted(predictor: Predictor, example: Example, number: int) -> Sequence[int] | Sequence[float]:
    """Return target class ids; an unknown answer gets the id after the last class, whose embedding is zero."""
    if example.captions:
        example = replace(example, answer=example.captions[number % len(example.captions)])
    ids = {name: i for i, name in enumerate(predictor.names_of(example.task))}
    output = OUTPUTS[predictor.task(example.task).output]
    return output.target(example, ids, predictor.tokenizer_of(example.task))[: predictor.max_length]


def _batch(
    predictor: Predictor, examples: Sequence[Example], wanted: Sequence[Tensor]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield scores (n, c) and class ids (n,) of examples, grouped by the shape of their inputs."""
    task = examples[0].task
    inputs = [prepare(predictor, example).rows[0] for example in examples]
    for members in group(row.shape for row in inputs).values():
        memory = predictor.encode([inputs[i] for i in members])
        targets = pad_sequence([wanted[i] for i in members], batch_first=True)
        mask = pad_sequence([torch.ones_like(wanted[i], dtype=torch.bool) for i in members], batch_first=True)
        device = predictor.device
        scores = predictor.network.cnp.decode(memory, task, targets.to(device), mask.to(device)).cpu()
        yield scores[mask], targets[mask]


def section(calibrations: Sequence[Calibration], command: str) -> str:
    """Return the calibration section of the model card, without its heading."""
    cells = [
        (
            c.task,
            f"{c.temperature:.3f}",
            *(f"{value:.1f}" for value in (c.before.error, c.after.error)),
            *(f"{value:.3f}" for value in (c.before.loss, c.after.loss)),
            f"{c.count:,} {c.counted}" + (f", {c.unknown:,} unknown" if c.unknown else ""),
        )
        for c in calibrations
    ]
    heading = "task | temperature | ECE before | ECE after | NLL before | NLL after | measured on"
    return f"{NOTE.format(command=command, bins=BINS)}\n{rows(heading, cells)}"


def folded(checkpoint: Checkpoint, calibrations: Sequence[Calibration], command: str) -> Checkpoint:
    """Fold temperatures into a checkpoint's network and add the metrics to its card.

    Temperatures near 1 are left out, so that a checkpoint that is calibrated already keeps its weights.
    """
    for calibration in calibrations:
        if abs(calibration.temperature - 1) > NEAR:
            fold(checkpoint.network, calibration.task, calibration.temperature)
    return replace(checkpoint, card=with_section(checkpoint.card, HEADING, section(calibrations, command)))


def overwrite(folder: Path, checkpoint: Checkpoint) -> None:
    """Save a checkpoint that was loaded from a folder into it, with the files and data type that it had there."""
    files = places(folder, read_sums(folder, ()))
    apart = {name: file for name, file in files.items() if file != WEIGHTS}
    checkpoints.save(checkpoint, folder, stored_type(folder), apart)


def stored_type(folder: Path) -> torch.dtype:
    """Return the data type of the floating-point weights on disk, which is the same for all."""
    tensors = load_file(folder / WEIGHTS).values()
    return next(tensor.dtype for tensor in tensors if tensor.is_floating_point())
