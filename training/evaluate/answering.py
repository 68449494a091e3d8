"""Predictions for the examples of data sets, computed in the same way as when serving."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from omninet.model.errors import InputError
from omninet.model.job import Job
from omninet.model.network_config import OmniNetConfig
from omninet.model.outputs import OUTPUTS, Answer, Metrics, Output
from omninet.model.predictor import Predictor
from omninet.model.tasks import Task
from omninet.model.uses import full_name
from omninet.training.config import DataSource, RunConfig, TaskRun
from omninet.training.data import DataError, DataSet, Example
from omninet.training.evaluate.devsets import with_data

BATCH = 16
Prepare = Callable[[Predictor, Example], Job]


@dataclass(frozen=True)
class Answered:
    """Examples of one data set with the network's answers.

    Attributes:
        use: name of the request, such as ``video-caption`` when the task ``caption`` gets clips.
        title: name of the data set in tables; empty uses the name of its folder.
        is_further: whether this is one of its task's data sets after the first.
    """

    dataset: DataSet
    examples: Sequence[Example]
    answers: Sequence[Answer]
    task: Task
    use: str
    title: str = ""
    is_further: bool = False

    @property
    def data(self) -> str:
        """Return the name of the data set in tables."""
        return self.title or self.dataset.folder.name

    @property
    def key(self) -> str:
        """Return the prefix of the metrics' names: the use, with the data set unless it is the task's first."""
        return f"{self.use}/{self.data}" if self.is_further else self.use

    @property
    def output(self) -> Output:
        """Return the output type of the task."""
        return OUTPUTS[self.task.output]

    def metrics(self, answers: Sequence[Answer] | None = None) -> Metrics:
        """Compute the metrics of the answers, or of other answers to the same examples; the headline metric first."""
        given = self.answers if answers is None else answers
        return self.output.metrics(self.examples, given) | self.dataset.metrics(self.examples, given)


def use_of(network: OmniNetConfig, example: Example) -> str:
    """Return the name of the request for an example: the task's first use whose inputs the example has."""
    task = network.tasks[example.task]
    keywords = network.keywords(task)
    forms = {wanted.role: form for name, (wanted, form) in keywords.items() if name in example.inputs}
    uses = (use for use in task.uses if use.forms.items() <= forms.items())
    return next((full_name(task, use) for use in uses), task.name)


def answer_data(
    predictor: Predictor,
    config: RunConfig,
    data: Path,
    limit: int | None = None,
    split: str = "dev",
    bar: bool = True,
) -> Iterator[Answered]:
    """Yield each data set of a run with the network's answers; a task's first data set comes first.

    Data sets whose folder is missing are left out and logged, unless all are.

    Args:
        limit: maximum number of examples per data set, evenly spaced; None uses all.
        bar: whether to show a progress bar on stderr.

    Raises:
        DataError: a data set is missing or empty, or an example cannot be read.
    """
    for source in with_data([source for run in config.tasks.values() for source in run.sources], data):
        yield answer_source(predictor, config, source, data, limit, split, bar)


def answer_source(
    predictor: Predictor,
    config: RunConfig,
    source: DataSource,
    data: Path,
    limit: int | None = None,
    split: str = "dev",
    bar: bool = True,
) -> Answered:
    """Return one data set of a run with the network's answers. See answer_data."""
    dataset = source.data_set(data)
    examples = dataset.some(split, limit)
    if not examples:
        raise DataError(f"{dataset.folder} holds no {split} example")
    answers = answer_all(predictor, examples, bar=bar)
    task, use = predictor.task(examples[0].task), use_of(predictor.config.network, examples[0])
    is_further = not isinstance(source, TaskRun)
    return Answered(dataset, examples, answers, task, use, config.title(source), is_further)


def prepare(predictor: Predictor, example: Example) -> Job:
    """Convert an example to a request."""
    return predictor.prepare(example.task, **example.inputs)


def prepare_greedy(predictor: Predictor, example: Example) -> Job:
    """Convert an example to a request that is decoded greedily, without beam search."""
    return predictor.prepare(example.task, **example.inputs, beams=1)


def answer_all(
    predictor: Predictor,
    examples: Sequence[Example],
    prepare: Prepare = prepare,
    title: str = "",
    bar: bool = True,
) -> list[Answer]:
    """Return the answers to examples of one task, in order.

    Args:
        prepare: converts an example to a request.
        title: of the progress bar; empty uses the task's name.
        bar: whether to show a progress bar on stderr.
    """
    answers: list[Answer] = []
    with tqdm(total=len(examples), desc=title or examples[0].task, disable=not bar) as progress:
        for start in range(0, len(examples), BATCH):
            jobs = [_prepared(predictor, example, prepare) for example in examples[start : start + BATCH]]
            decoded = iter(predictor.run([row for job in jobs for row in job.rows]))
            answers += [predictor.complete(job, [next(decoded) for _ in job.rows]) for job in jobs]
            progress.update(len(jobs))
    return answers


def _prepared(predictor: Predictor, example: Example, prepare: Prepare) -> Job:
    try:
        return prepare(predictor, example)
    except InputError as error:
        what = " and ".join(map(str, example.media)) or example.text
        raise DataError(f"{what} cannot be evaluated: {error}") from error
