"""One YAML file a run, validated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from model.errors import ConfigError
from model.tasks import TASKS
from training.data import DATASETS


class Strict(BaseModel):
    """Refuses unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskRun(Strict):
    """One task of a run.

    Attributes:
        dataset: name in DATASETS.
        folder: of the data set, relative to the run's data folder.
        batch: examples a step.
        share: of all steps that are this task's; shares need not sum to one.
        cap: highest learning rate, or None.
    """

    dataset: str
    folder: str
    batch: Annotated[int, Field(ge=1)]
    share: Annotated[float, Field(gt=0)]
    cap: Annotated[float, Field(gt=0)] | None = None

    @field_validator("dataset")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in DATASETS:
            raise ValueError(f"unknown data set {value!r}; known are {', '.join(DATASETS)}")
        return value


class RunConfig(Strict):
    """A training run.

    Attributes:
        steps: of all tasks together.
        warmup, factor: of the Noam schedule.
        cooldown: share of the run over which the learning rate falls to zero at the end.
        clip: largest norm of a step's gradient.
        precision: of matrix products; ``auto`` takes bfloat16 where the device multiplies it in hardware.
        vocabulary: subwords of the tokenizer.
        subwords: ``trained`` on the run's own texts, or ``bpemb``, BPEmb's published ones with their vectors.
        text_steps: subwords that a text output may have.
        card: opening of the model card, Markdown: what the model is for, data and licences, limits.
        network: ``cnp``, ``vision`` and ``language`` as in OmniNetConfig, without what the data decide.
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
    vocabulary: Annotated[int, Field(ge=50)]
    subwords: Literal["trained", "bpemb"] = "trained"
    text_steps: Annotated[int, Field(ge=1)] = 40
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
            if DATASETS[run.dataset].task != name:
                raise ValueError(f"data set {run.dataset!r} is of task {DATASETS[run.dataset].task}, not {name}")
        return value

    @classmethod
    def load(cls, path: Path) -> RunConfig:
        """Read a YAML file.

        Raises:
            ConfigError: the file is missing or a value is wrong; the message names it.
        """
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
            return cls.model_validate(values)
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"{path} is no YAML: {error}") from error
        except ValidationError as error:
            found = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ConfigError(f"{path}: {found}") from error
