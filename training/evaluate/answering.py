"""Answers to the examples of data sets, through the path that serving takes."""

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
from omninet.training.config import RunConfig
from omninet.training.data import DataError, DataSet, Example, thinned

BATCH = 16
Prepare = Callable[[Predictor, Example], Job]


@dataclass(frozen=True)
class Answered:
    """Examples of one data set and what the network said to them.

    Attributes:
        use: name of what was asked for: ``video-caption`` where the task ``caption`` was given clips.
        title: of the data set; empty for the name of its folder.
        is_further: whether it is not the first data set of its task.
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
        """What tables call the data set."""
        return self.title or self.dataset.folder.name

    @property
    def key(self) -> str:
        """What its measures are named by: the use, and which data set if it is not the first of the task."""
        return f"{self.use}/{self.data}" if self.is_further else self.use

    @property
    def output(self) -> Output:
        """What kind of answers these are."""
        return OUTPUTS[self.task.output]

    def metrics(self, answers: Sequence[Answer] | None = None) -> Metrics:
        """Measure the answers, or others to the same examples, the headline first."""
        given = self.answers if answers is None else answers
        return self.output.metrics(self.examples, given) | self.dataset.metrics(self.examples, given)


def use_of(network: OmniNetConfig, example: Example) -> str:
    """Return under which name a task would be asked for an example: the first whose forms it has."""
    task = network.tasks[example.task]
    keywords = network.keywords(task)
    forms = {wanted.role: form for name, (wanted, form) in keywords.items() if name in example.inputs}
    uses = (use.name for use in task.uses if use.forms.items() <= forms.items())
    return next(uses, task.name)


def answer_data(
    predictor: Predictor,
    config: RunConfig,
    data: Path,
    limit: int | None = None,
    split: str = "dev",
    bar: bool = True,
) -> Iterator[Answered]:
    """The data sets of a run, one after the other; of each task, the first one first.

    Args:
        limit: examples a data set at most, spread evenly over the data set; None takes all.
        bar: whether progress is shown on stderr.

    Raises:
        DataError: a data set that is not there, is empty or holds what cannot be read.
    """
    for number, source in ((n, source) for run in config.tasks.values() for n, source in enumerate(run.sources)):
        dataset = source.data_set(data)
        examples = thinned(dataset.read(split), limit)
        if not examples:
            raise DataError(f"{dataset.folder} holds no {split} example")
        answers = answer_all(predictor, examples, bar=bar)
        task, use = predictor.task(examples[0].task), use_of(predictor.config.network, examples[0])
        yield Answered(dataset, examples, answers, task, use, config.title(source), number > 0)


def prepare(predictor: Predictor, example: Example) -> Job:
    """An example as a request."""
    return predictor.prepare(example.task, **example.inputs)


def prepare_greedy(predictor: Predictor, example: Example) -> Job:
    """The same for a text that is written without a beam."""
    return predictor.prepare(example.task, **example.inputs, beams=1)


def answer_all(
    predictor: Predictor,
    examples: Sequence[Example],
    prepare: Prepare = prepare,
    title: str = "",
    bar: bool = True,
) -> list[Answer]:
    """The answers to examples of one task, in their order.

    Args:
        prepare: makes a request of an example.
        title: of the progress bar; by default the task.
        bar: whether there is one, on stderr.
    """
    answers: list[Answer] = []
    with tqdm(total=len(examples), desc=title or examples[0].task, disable=not bar) as progress:
        for start in range(0, len(examples), BATCH):
            jobs = [_prepared(predictor, example, prepare) for example in examples[start : start + BATCH]]
            decoded = iter(predictor.run([row for job in jobs for row in job.rows]))
            answers += [predictor.finish(job, [next(decoded) for _ in job.rows]) for job in jobs]
            progress.update(len(jobs))
    return answers


def _prepared(predictor: Predictor, example: Example, prepare: Prepare) -> Job:
    try:
        return prepare(predictor, example)
    except InputError as error:
        what = " and ".join(map(str, example.media)) or example.text
        raise DataError(f"{what} cannot be measured: {error}") from error
