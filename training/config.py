"""One YAML file a run, validated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from omninet.model.decoding.options import MAX_BEAMS
from omninet.model.errors import ConfigError
from omninet.model.tasks import TASKS
from omninet.training.data import DATASETS, DataSet
from omninet.training.network import check_network
from omninet.training.overrides import apply

CONFIG = "config.yaml"  # in the folder of a run: what it was started with


class Strict(BaseModel):
    """Refuses unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Recipe(Strict):
    """What is written as one YAML file."""

    @classmethod
    def load(cls, path: Path, overrides: Sequence[str] = ()) -> Self:
        """Read a YAML file.

        Args:
            overrides: values that replace the file's, such as ``tasks.vqa.batch=32``.

        Raises:
            ConfigError: the file is missing or a value is wrong; the message names it.
        """
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"{path} is no YAML: {error}") from error
        where = f"{path} with {', '.join(overrides)}" if overrides else path
        changed = apply(values, overrides, cls)
        try:
            return cls.model_validate(changed)
        except ValidationError as error:
            found = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ConfigError(f"{where}: {found}") from error
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error

    def save(self, path: Path) -> None:
        """Write a YAML file with every value, defaults too; it loads back equal."""
        values = self.model_dump(mode="json")
        path.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")


def differences(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Name of each value that differs in nested mappings, such as ``tasks.vqa.batch``, with the two values.

    What is missing is None.
    """
    for name in {**one, **other}:
        a, b = one.get(name), other.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            yield from differences(a, b, f"{prefix}{name}.")
        elif a != b:
            yield f"{prefix}{name}", a, b


class Source(Strict):
    """One data set of a task.

    Attributes:
        dataset: name in DATASETS.
        folder: of the data set, relative to the run's data folder.
        limit: training examples used, spread evenly over the data set; None takes all.
    """

    dataset: str
    folder: str
    limit: Annotated[int, Field(ge=1)] | None = None

    @field_validator("dataset")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in DATASETS:
            raise ValueError(f"unknown data set {value!r}; known are {', '.join(DATASETS)}")
        return value

    def data_set(self, data: Path) -> DataSet:
        """It, in the run's data folder."""
        return DATASETS[self.dataset](data / self.folder)


class TaskRun(Source):
    """One task of a run, and its first data set, by which tables and the paper's figures go.

    Attributes:
        batch: examples a step.
        share: of all steps that are this task's; shares need not sum to one, and are for ``mixing: shares`` alone.
        cap: highest learning rate, or None.
        accumulate: batches a step, their gradients added up.
        classes: labels kept, the most frequent; examples of others are left out. None keeps all.
        jobs: worker processes of this task.
        device: of its workers: ``auto`` deals out the CUDA devices there are, else the CPU.
        more: data sets that are learnt and measured beside the first.
    """

    batch: Annotated[int, Field(ge=1)]
    share: Annotated[float, Field(gt=0)] = 1.0
    cap: Annotated[float, Field(gt=0)] | None = None
    accumulate: Annotated[int, Field(ge=1)] = 1
    classes: Annotated[int, Field(ge=1)] | None = None
    jobs: Annotated[int, Field(ge=1)] = 1
    device: str = "auto"
    more: tuple[Source, ...] = ()

    @field_validator("more")
    @classmethod
    def _once(cls, value: tuple[Source, ...], info: ValidationInfo) -> tuple[Source, ...]:
        places = [(source.dataset, source.folder) for source in value]
        places.append((info.data.get("dataset", ""), info.data.get("folder", "")))
        for dataset, folder in places:
            if places.count((dataset, folder)) > 1:
                raise ValueError(f"data set {dataset!r} in {folder!r} is named twice")
        return value

    @property
    def sources(self) -> tuple[Source, ...]:
        """All of its data sets, the first one first."""
        return (self, *self.more)


class Checkpoints(Strict):
    """When a run saves its state, and how many of them stay."""

    every_s: Annotated[float, Field(gt=0)] = 300.0
    keep: Annotated[int, Field(ge=1)] = 3


class Evaluation(Strict):
    """Measures taken during a run.

    Attributes:
        every: steps between two; None takes none.
        limit: dev examples a data set.
        best: measure by which the best checkpoint is kept, such as ``caption/BLEU-4``; of a task's
            further data sets, ``vqa/caption_qa/accuracy``.
    """

    every: Annotated[int, Field(ge=1)] | None = None
    limit: Annotated[int, Field(ge=1)] = 200
    best: str | None = None


class RunConfig(Recipe):
    """A training run.

    Attributes:
        steps: of all tasks together.
        warmup, factor: of the Noam schedule.
        cooldown: share of the run over which the learning rate falls to zero at the end.
        clip: largest norm of a step's gradient.
        precision: of matrix products; ``auto`` takes bfloat16 where the device multiplies it in hardware.
        mixing: how often a task is drawn: by the ``shares`` of the steps, or so that its samples go by the number
            of its training examples, ``proportional`` to it or to its ``square_root``, or are as many as any other
            task's, ``uniform``.
        sharded: whether the ranks of the distributed runner have a part each of parameters and moments (FSDP2).
        pace: how far the workers of a task may run ahead of the slowest, as a share of their own steps; None lets
            everyone run free.
        restarts: times that a worker which died is started again.
        max_skipped: share of the samples that may be unreadable.
        media: ``features`` of the frozen backbone, computed once, or ``pixels``, augmented anew at every step.
        vocabulary: subwords of the tokenizer.
        subwords: ``trained`` on the run's own texts, or ``bpemb``, BPEmb's published ones with their vectors.
        loosen: share of the subwords read in training that are written as two.
        text_steps: subwords that a text output may have.
        beams: that the checkpoint searches texts with.
        card: opening of the model card, Markdown: what the model is for, data and licences, limits.
        network: ``cnp`` and the peripherals by name, as in OmniNetConfig, without what the data decide; a peripheral
            that is not called as its modality has its ``kind``. Those that no task needs are left out.
    """

    name: str
    version: str
    seed: int = 0
    steps: Annotated[int, Field(ge=1)]
    warmup: Annotated[int, Field(ge=1)]
    factor: Annotated[float, Field(gt=0)]
    cooldown: Annotated[float, Field(ge=0, le=1)] = 0.0
    clip: Annotated[float, Field(gt=0)] = 1.0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    mixing: Literal["shares", "proportional", "square_root", "uniform"] = "shares"
    sharded: bool = False
    pace: Annotated[float, Field(gt=0, le=1)] | None = None
    restarts: Annotated[int, Field(ge=0)] = 3
    max_skipped: Annotated[float, Field(ge=0, lt=1)] = 0.01
    media: Literal["features", "pixels"] = "features"
    checkpoints: Checkpoints = Checkpoints()
    evaluation: Evaluation = Evaluation()
    vocabulary: Annotated[int, Field(ge=50)]
    subwords: Literal["trained", "bpemb"] = "trained"
    loosen: Annotated[float, Field(ge=0, le=1)] = 0.0
    text_steps: Annotated[int, Field(ge=1)] = 40
    beams: Annotated[int, Field(ge=1, le=MAX_BEAMS)] = 1
    card: str = ""
    network: dict[str, dict[str, Any]]
    tasks: dict[str, TaskRun]

    @field_validator("tasks")
    @classmethod
    def _tasks(cls, value: dict[str, TaskRun]) -> dict[str, TaskRun]:
        if not value:
            raise ValueError("at least one task is needed")
        for name, run in value.items():
            if name not in TASKS:
                raise ValueError(f"unknown task {name!r}; known are {', '.join(TASKS)}")
            for source in run.sources:
                task = getattr(DATASETS[source.dataset], "task", "none")
                if task != name:
                    raise ValueError(f"data set {source.dataset!r} is of task {task}, not {name}")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        check_network(self)
        return self

    def title(self, source: Source) -> str:
        """What tells one of the run's data sets from the others: its folder if that will do."""
        others = [s for run in self.tasks.values() for s in run.sources if s is not source]
        if all(Path(other.folder).name != Path(source.folder).name for other in others):
            return Path(source.folder).name
        alike = any(other.dataset == source.dataset for other in others)
        return f"{source.dataset} in {source.folder}" if alike else source.dataset
