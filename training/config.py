"""Configuration of a training run, read from a YAML file and validated."""

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

CONFIG = "config.yaml"  # copy of the configuration in a run's folder


class Strict(BaseModel):
    """Base of configurations: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Recipe(Strict):
    """Base of configurations that are stored as a YAML file."""

    @classmethod
    def load(cls, path: Path, overrides: Sequence[str] = ()) -> Self:
        """Read a YAML file.

        Args:
            overrides: replacements of values, such as ``tasks.vqa.batch=32``.

        Raises:
            ConfigError: the file cannot be read or a value is invalid; the message names it.
        """
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"{path} is no valid YAML: {error}") from error
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
        """Write a YAML file with all values, including defaults; loading it gives an equal configuration."""
        values = self.model_dump(mode="json")
        path.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")


def differences(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the dotted name of each value that differs, such as ``tasks.vqa.batch``, and both values.

    A missing value is None.
    """
    for name in {**one, **other}:
        a, b = one.get(name), other.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            yield from differences(a, b, f"{prefix}{name}.")
        elif a != b:
            yield f"{prefix}{name}", a, b


class DataSource(Strict):
    """A data set of a task.

    Attributes:
        dataset: name in DATASETS.
        folder: relative to the run's data folder.
        limit: maximum number of training examples, evenly spaced over the data set; None uses all.
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
        """Return the data set in the run's data folder."""
        return DATASETS[self.dataset](data / self.folder)


class TaskRun(DataSource):
    """A task of a run, with its first data set, which is the one in tables and in comparisons with the paper.

    Attributes:
        batch: examples per batch.
        share: relative share of the steps, for ``mixing: shares``; shares need not sum to 1.
        cap: maximum learning rate, or None.
        accumulate: batches per step, with accumulated gradients.
        classes: number of most frequent labels to keep; examples with other labels are dropped. None keeps all.
        jobs: number of worker processes.
        device: of the workers; ``auto`` distributes them over the CUDA devices, or uses the CPU if there are none.
        more: further data sets for training and evaluation.
    """

    batch: Annotated[int, Field(ge=1)]
    share: Annotated[float, Field(gt=0)] = 1.0
    cap: Annotated[float, Field(gt=0)] | None = None
    accumulate: Annotated[int, Field(ge=1)] = 1
    classes: Annotated[int, Field(ge=1)] | None = None
    jobs: Annotated[int, Field(ge=1)] = 1
    device: str = "auto"
    more: tuple[DataSource, ...] = ()

    @field_validator("more")
    @classmethod
    def _once(cls, value: tuple[DataSource, ...], info: ValidationInfo) -> tuple[DataSource, ...]:
        places = [(source.dataset, source.folder) for source in value]
        places.append((info.data.get("dataset", ""), info.data.get("folder", "")))
        for dataset, folder in places:
            if places.count((dataset, folder)) > 1:
                raise ValueError(f"data set {dataset!r} in {folder!r} is named twice")
        return value

    @property
    def sources(self) -> tuple[DataSource, ...]:
        """Return all data sets of the task, the first one first."""
        return (self, *self.more)


class Checkpoints(Strict):
    """Seconds between two saved states, and the number of states to keep."""

    every_s: Annotated[float, Field(gt=0)] = 300.0
    keep: Annotated[int, Field(ge=1)] = 3


class Evaluation(Strict):
    """Evaluation during a run.

    Attributes:
        every: steps between two evaluations; None disables them.
        limit: maximum number of dev examples per data set.
        best: metric that selects the best checkpoint, such as ``caption/BLEU-4``, or ``vqa/caption_qa/accuracy`` for
            a further data set of a task.
    """

    every: Annotated[int, Field(ge=1)] | None = None
    limit: Annotated[int, Field(ge=1)] = 200
    best: str | None = None


class RunConfig(Recipe):
    """A training run.

    Attributes:
        steps: of all tasks together.
        warmup, factor: of the Noam learning rate schedule (``schedule.noam``).
        cooldown: share of the run, at its end, over which the learning rate falls to 0.
        clip: maximum norm of the gradient.
        precision: of matrix products; ``auto`` is bfloat16 if the device supports it in hardware.
        mixing: how tasks are sampled: ``shares`` of the steps as configured; or samples ``proportional`` to the
            number of the task's training examples, to its ``square_root``, or ``uniform``.
        scheduler: ``fixed_shares`` trains all tasks to the end as ``mixing`` says; ``stop_and_go`` (12-in-1: Lu et al.
            2019) validates every task after each of its epochs, and lets tasks whose score no longer rises leave out
            three of four steps (``runtime.stop_and_go``). Steps that are left out count among ``steps``.
        sharded: whether the distributed runner shards parameters and moments over the ranks (FSDP2).
        pace: maximum lead of a Hogwild worker over the slowest one, as a share of its steps; None sets no limit.
        restarts: maximum number of restarts of a worker that died.
        max_skipped: maximum share of unreadable samples.
        clean: whether training leaves out photos that are also in a dev or test set of any of the run's data sets;
            ``omninet data clean`` lists them.
        media: ``features``, computed once by the frozen backbone, or ``pixels``, augmented at every step.
        vocabulary: size of the subword vocabulary.
        subwords: ``trained`` on the run's texts, or ``bpemb``, published by BPEmb with vectors.
        loosen: BPE dropout (Provilkov et al. 2020): probability that a subword of a text input is split in training.
        text_steps: maximum number of subwords of an output text.
        beams: beam width that the checkpoint uses to decode texts.
        card: introduction of the model card in Markdown: purpose, data and licences, limitations. The page shows its
            first paragraph.
        licence: of the weights, the text of the checkpoint's file LICENSE, whose first line names it; empty for none.
        network: ``cnp`` and peripherals by name, with values as in OmniNetConfig except those that the data determine.
            A peripheral whose name is not a modality needs a ``kind``. Peripherals that no task uses are dropped.
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
    scheduler: Literal["fixed_shares", "stop_and_go"] = "fixed_shares"
    sharded: bool = False
    pace: Annotated[float, Field(gt=0, le=1)] | None = None
    restarts: Annotated[int, Field(ge=0)] = 3
    max_skipped: Annotated[float, Field(ge=0, lt=1)] = 0.01
    clean: bool = False
    media: Literal["features", "pixels"] = "features"
    checkpoints: Checkpoints = Checkpoints()
    evaluation: Evaluation = Evaluation()
    vocabulary: Annotated[int, Field(ge=50)]
    subwords: Literal["trained", "bpemb"] = "trained"
    loosen: Annotated[float, Field(ge=0, le=1)] = 0.0
    text_steps: Annotated[int, Field(ge=1)] = 40
    beams: Annotated[int, Field(ge=1, le=MAX_BEAMS)] = 1
    card: str = ""
    licence: str = ""
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
        if self.scheduler == "stop_and_go":
            _check_dev_splits(self.tasks)
        return self

    def title(self, source: DataSource) -> str:
        """Return a name that distinguishes a data set from the run's others: the folder's name if that is unique."""
        others = [s for run in self.tasks.values() for s in run.sources if s is not source]
        if all(Path(other.folder).name != Path(source.folder).name for other in others):
            return Path(source.folder).name
        alike = any(other.dataset == source.dataset for other in others)
        return f"{source.dataset} in {source.folder}" if alike else source.dataset


def _check_dev_splits(tasks: Mapping[str, TaskRun]) -> None:
    """Check that every task can be validated during the run.

    Raises:
        ConfigError: the first data set of a task has no dev split.
    """
    for name, run in tasks.items():
        splits = DATASETS[run.dataset].splits
        if "dev" not in splits:
            raise ConfigError(
                f"scheduler stop_and_go cannot validate task {name}: its first data set {run.dataset!r} has no dev "
                f"split, only {', '.join(splits)}; name another data set first, or set scheduler: fixed_shares"
            )
