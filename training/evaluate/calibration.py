"""How far probabilities can be believed, and the temperature of each task by which they can.

The scores of a task are divided by one number, fitted on dev data (Guo et al. 2017), and the number goes into the
weights of the task's classifier: whoever runs the network need not know of it. The likeliest class stays the likeliest,
but for ties that rounding makes; a search with several beams, which compares whole sentences, chooses other ones.
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
BINS = 15  # of confidence, equally wide
BATCH = 16
CHUNK = 4096  # outputs at a time: a large vocabulary takes much memory
COLDEST, HOTTEST = 0.05, 20.0
HALVINGS = 25
NOTE = """\
One temperature a task, fitted on all of its dev examples and divided into the weights of its classifier, by
`{command}`. Before and after are of every second example, with a temperature fitted on the others.
ECE: expected calibration error of the likeliest class, in percent, {bins} bins. NLL: mean negative log-probability of
what is right, in nats. Tags and captions are given what is right before them; of each photo one caption, in turn the
first, the second and so on. An answer that the network does not know is an error in ECE and left out in NLL.
"""


@dataclass(frozen=True)
class Outputs:
    """What a network says of examples, given what is right before it, and what would be right.

    Attributes:
        scores: natural log-probabilities, (n, c).
        wanted: class ids, (n,); c where what is right is none of the classes.
    """

    scores: Tensor
    wanted: Tensor

    def parts(self) -> Iterator[tuple[Tensor, Tensor]]:
        """A few thousand at a time."""
        for start in range(0, len(self.wanted), CHUNK):
            yield self.scores[start : start + CHUNK], self.wanted[start : start + CHUNK]

    @property
    def unknown(self) -> int:
        """Outputs whose right answer is none of the classes."""
        return int((self.wanted == self.scores.shape[1]).sum())


@dataclass(frozen=True)
class Quality:
    """How good probabilities are.

    Attributes:
        error: expected calibration error of the likeliest class, in percent.
        loss: mean negative log-probability of what is right, in nats.
    """

    error: float
    loss: float


@dataclass(frozen=True)
class Calibration:
    """The temperature of one task, and what it does.

    Attributes:
        temperature: fitted on all examples.
        before, after: of every second example, with the temperature fitted on the others.
        count: outputs that these are measured on.
        unknown: of them, those whose right answer is none of the classes.
        counted: what several outputs are called.
    """

    task: str
    temperature: float
    before: Quality
    after: Quality
    count: int
    unknown: int
    counted: str = "outputs"


def calibrate(predictor: Predictor, examples: Sequence[Example]) -> Calibration:
    """Fit the temperature of one task; the network stays as it is.

    Raises:
        DataError: there are no two examples with a known answer.
    """
    even, odd = (collect(predictor, examples, start) for start in (0, 1))
    after = quality(odd, fit(even))
    task = examples[0].task
    counted = predictor.output(task).counted
    return Calibration(task, fit(even, odd), quality(odd), after, len(odd.wanted), odd.unknown, counted)


def unchanging(config: ModelConfig) -> list[str]:
    """Tasks of a checkpoint that choose among classes and whose answers a temperature leaves as they are."""
    tasks = [task for task in config.network.tasks.values() if task.vocabulary]
    return [task.name for task in tasks if config.beams == 1 or OUTPUTS[task.output].named]


def fold(network: OmniNet, task: str, temperature: float) -> None:
    """Divide a task's scores by a temperature, in the weights of its vocabulary's classifier.

    Raises:
        DataError: another task has the same vocabulary, whose scores would be divided as well.
    """
    vocabulary = network.config.tasks[task].vocabulary
    sharing = [other.name for other in network.config.tasks.values() if other.vocabulary == vocabulary]
    if len(sharing) > 1:
        raise DataError(f"{' and '.join(sharing)} share the vocabulary {vocabulary}: one temperature cannot suit each")
    with torch.no_grad():
        for parameter in network.cnp.classifiers[vocabulary].parameters():
            parameter.div_(temperature)


def quality(outputs: Outputs, temperature: float = 1.0) -> Quality:
    """Of the probabilities that a temperature would give."""
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
    """The temperature of the least negative log-probability.

    It is convex in the temperature's inverse, so its slope changes sign once.

    Raises:
        DataError: of no output the right answer is known.
    """
    if all(given.unknown == len(given.wanted) for given in outputs):
        raise DataError("a calibration needs two examples at least whose answers are known")
    low, high = math.log(COLDEST), math.log(HOTTEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if sum(_slope(given, math.exp(-middle)) for given in outputs) > 0:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)


def _slope(outputs: Outputs, inverse: float) -> float:
    """Of the negative log-probability over the temperature's inverse: expected score less that of what is right."""
    total = 0.0
    for scores, wanted in outputs.parts():
        known = wanted < scores.shape[1]
        said, right = scores[known], wanted[known]
        expected = (torch.softmax(said * inverse, -1) * said).sum(-1)
        total += float((expected - said.gather(1, right[:, None])[:, 0]).double().sum())
    return total


@torch.inference_mode()
def collect(predictor: Predictor, examples: Sequence[Example], start: int = 0, step: int = 2) -> Outputs:
    """Of every ``step``-th example from ``start`` on, prepared as serving does.

    Raises:
        DataError: there is none.
    """
    numbers = range(start, len(examples), step)
    found: list[tuple[Tensor, Tensor]] = []
    for i in tqdm(range(0, len(numbers), BATCH), desc=f"{examples[0].task}, part {start + 1} of {step}"):
        members = numbers[i : i + BATCH]
        wanted = [torch.tensor(_wanted(predictor, examples[number], number)) for number in members]
        found += _batch(predictor, [examples[number] for number in members], wanted)
    if not found:
        raise DataError("a calibration needs two examples at least whose answers are known")
    return Outputs(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def _wanted(predictor: Predictor, example: Example, number: int) -> Sequence[int] | Sequence[float]:
    """Class ids of what is right; an unknown answer is the class after the last, whose embedding is zero."""
    if example.captions:
        example = replace(example, answer=example.captions[number % len(example.captions)])
    ids = {name: i for i, name in enumerate(predictor.names_of(example.task))}
    output = OUTPUTS[predictor.task(example.task).output]
    return output.target(example, ids, predictor.tokenizer)[: predictor.max_length]


def _batch(
    predictor: Predictor, examples: Sequence[Example], wanted: Sequence[Tensor]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Scores (n, c) and class ids (n,), for each shape of the inputs."""
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
    """What the card says below the heading."""
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


def write(folder: Path, checkpoint: Checkpoint, calibrations: Sequence[Calibration], command: str) -> None:
    """Write a checkpoint with its temperatures in the weights, as precise as it was, and the figures in its card.

    Args:
        checkpoint: what was loaded from the folder; its network is changed.
    """
    for calibration in calibrations:
        fold(checkpoint.network, calibration.task, calibration.temperature)
    card = with_section(checkpoint.card, HEADING, section(calibrations, command))
    files = places(folder, read_sums(folder, ()))
    apart = {name: file for name, file in files.items() if file != WEIGHTS}
    checkpoints.save(replace(checkpoint, card=card), folder, stored_type(folder), apart)


def stored_type(folder: Path) -> torch.dtype:
    """Type of the weights on disk; all that are not integers have the same."""
    tensors = load_file(folder / WEIGHTS).values()
    return next(tensor.dtype for tensor in tensors if tensor.is_floating_point())
