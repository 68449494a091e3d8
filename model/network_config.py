"""Configuration of a network: peripherals, domains, tasks and vocabularies. Does not import torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

from omninet.model.config import CNPConfig, from_dict
from omninet.model.errors import ConfigError
from omninet.model.modalities import MODALITIES, Modality, kind_of, modality_of
from omninet.model.modalities.language.config import LanguageConfig
from omninet.model.modalities.vision.config import VisionConfig
from omninet.model.outputs import OUTPUTS
from omninet.model.tasks import TASKS, Input, Task, Use
from omninet.model.uses import shared_uses, uses_of

C = TypeVar("C")
KIND = "kind"  # JSON field of a peripheral: its modality, a name in MODALITIES


# Request fields that are not inputs of a task.
ABOUT_REQUESTS = {"explain", "explain_layers", "format", "images", "stream"}
PAPER = {"pos": 48, "activity": 52, "caption": 25000, "vqa": 3500}  # the paper's tasks and their numbers of classes


@dataclass(frozen=True)
class OmniNetConfig:
    """Configuration of a network. The defaults are the paper's.

    Attributes:
        peripherals: name -> configuration; its type determines the modality. Several peripherals may have one modality.
        domains: names of the input domains.
        tasks: name -> task.
        vocabularies: name -> number of classes.
        controls: names of domains and tasks in the order of their control vectors. Names of removed tasks and domains
            keep their place. Empty means the domains, then the tasks.
    """

    cnp: CNPConfig = field(default_factory=CNPConfig)
    peripherals: Mapping[str, Any] = field(
        default_factory=lambda: {"vision": VisionConfig(), "language": LanguageConfig()}
    )
    domains: tuple[str, ...] = ("english", "german", "image")
    tasks: Mapping[str, Task] = field(default_factory=lambda: {name: TASKS[name] for name in PAPER})
    vocabularies: Mapping[str, int] = field(default_factory=lambda: dict(PAPER))
    controls: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("peripherals", "tasks", "vocabularies"):
            if not isinstance(getattr(self, name), Mapping):
                raise ConfigError(f"OmniNetConfig.{name} must map names to values, not {getattr(self, name)!r}")
        if not self.tasks:
            raise ConfigError("OmniNetConfig.tasks must name at least one task")
        for name, classes in self.vocabularies.items():
            if not isinstance(classes, int) or isinstance(classes, bool) or classes < 1:
                raise ConfigError(f"OmniNetConfig.vocabularies.{name} must be a whole number above 0, not {classes!r}")
        for name, task in self.tasks.items():
            self._check_task(name, task)
        uses_of(self.tasks.values())
        for sharing in shared_uses(self.tasks.values()).values():
            self._check_shared([task for task, _ in sharing])
        if not self.controls:
            object.__setattr__(self, "controls", (*self.domains, *self.tasks))
        self._check_controls()

    def _check_task(self, name: str, task: Task) -> None:
        if task.name != name:
            raise ConfigError(f"OmniNetConfig.tasks.{name} has the name {task.name!r}; key and name must be equal")
        if task.output not in OUTPUTS:
            raise ConfigError(f"task {name}: there is no output {task.output!r}; known are {', '.join(OUTPUTS)}")
        if bool(task.vocabulary) != OUTPUTS[task.output].has_vocabulary:
            needed = "needs a vocabulary" if not task.vocabulary else "has no vocabulary"
            raise ConfigError(f"task {name}: its output {task.output} {needed}")
        if task.vocabulary and task.vocabulary not in self.vocabularies:
            raise ConfigError(f"OmniNetConfig.vocabularies lacks {task.vocabulary!r}, the vocabulary of task {name}")
        if any(o.vocabulary == task.vocabulary and o.tokenizer != task.tokenizer for o in self.tasks.values()):
            raise ConfigError(f"tasks with the vocabulary {task.vocabulary!r} must have one tokenizer")
        for given in task.inputs:
            if given.peripheral not in self.peripherals:
                raise ConfigError(f"OmniNetConfig.peripherals lacks {given.peripheral!r}, an input of task {name}")
            if given.domain not in self.domains:
                raise ConfigError(f"OmniNetConfig.domains lacks {given.domain!r}, the domain of {name}'s {given.role}")

        taken = {*ABOUT_REQUESTS, *OUTPUTS[task.output].options, *(name for use in task.uses for name in use.choosing)}
        if wrong := [keyword for keyword in self.keywords(task) if keyword in taken]:
            raise ConfigError(
                f"task {name}: {wrong[0]!r} cannot be the name of an input: requests have an option of that name"
            )
        if task.then and task.then not in self.tasks:
            raise ConfigError(f"OmniNetConfig.tasks lacks {task.then!r}, with which task {name} continues")
        for use in task.uses:
            self._check_use(task, use)

    def _check_shared(self, tasks: Sequence[Task]) -> None:
        """Check that tasks with one endpoint have equal request fields; their peripherals may differ."""
        first, *others = tasks
        for task in others:
            one, other = ({name: form for name, (_, form) in self.keywords(each).items()} for each in (first, task))
            if one != other:
                raise ConfigError(
                    f"tasks {first.name} and {task.name} share the use {task.uses[0].name!r}; "
                    f"they need equal inputs, not {', '.join(one)} and {', '.join(other)}"
                )

    def _check_use(self, task: Task, use: Use) -> None:
        for role, form in use.forms.items():
            known = self.modality(task.input(role).peripheral).forms
            if form not in known:
                raise ConfigError(
                    f"use {use.name} of task {task.name}: {role} has no form {form!r}; known are {', '.join(known)}"
                )

    def _check_controls(self) -> None:
        for name in (*self.domains, *self.tasks, *self.controls):
            count = [*self.domains, *self.tasks].count(name)
            if count > 1 or self.controls.count(name) > 1:
                raise ConfigError(f"OmniNetConfig has more than one domain or task named {name!r}")
            if name not in self.controls:
                raise ConfigError(f"OmniNetConfig.controls lacks {name!r}")

    @property
    def tokenizers(self) -> tuple[str, ...]:
        """Names of the tokenizers of peripherals and tasks that name one, in alphabetical order."""
        read = {config.tokenizer for config in self.every(LanguageConfig).values()}
        return tuple(sorted((read | {task.tokenizer for task in self.tasks.values()}) - {""}))

    def modality(self, peripheral: str) -> Modality:
        """Return the modality of a peripheral."""
        return modality_of(self.peripherals[peripheral])

    def keywords(self, task: Task) -> dict[str, tuple[Input, str]]:
        """Return the request fields of a task's inputs: keyword -> input and form.

        Raises:
            ConfigError: two inputs have the same keyword.
        """
        kinds = [kind_of(self.peripherals[given.peripheral]) for given in task.inputs]
        found: dict[str, tuple[Input, str]] = {}
        for given, kind in zip(task.inputs, kinds, strict=True):
            words = self.modality(given.peripheral).keywords(given.role, alone=kinds.count(kind) == 1)
            for keyword, form in words.items():
                if keyword in found:
                    raise ConfigError(
                        f"task {task.name}: {found[keyword][0].role} and {given.role} have the same keyword {keyword!r}"
                    )
                found[keyword] = given, form
            if given.second:
                found[given.second] = given, next(iter(words.values()))
        return found

    def every(self, kind: type[C]) -> dict[str, C]:
        """Return the peripherals with a configuration of type ``kind``: name -> configuration."""
        return {name: config for name, config in self.peripherals.items() if isinstance(config, kind)}

    def subset(self, tasks: Collection[str]) -> OmniNetConfig:
        """Return the configuration reduced to some tasks and the peripherals, domains and vocabularies they need.

        Args:
            tasks: names of tasks; ``TASK:FIELD`` keeps of a task with alternative inputs the one of that request field,
                such as ``embed:text``.

        Raises:
            ConfigError: there is no such task, or the task has no such alternative.
        """
        fields = {name: field for name, _, field in (wanted.partition(":") for wanted in tasks)}
        for name in fields:
            if name not in self.tasks:
                raise ConfigError(f"there is no task {name!r}; known are {', '.join(self.tasks)}")
        fields |= {then: "" for name in fields if (then := self.tasks[name].then)}
        kept = {
            name: self._with_one_input(task, fields[name]) if fields[name] else task
            for name, task in self.tasks.items()
            if name in fields
        }
        inputs = [given for task in kept.values() for given in task.inputs]
        needed = {given.peripheral for given in inputs}
        named = {task.vocabulary for task in kept.values() if task.vocabulary}
        return replace(
            self,
            peripherals={name: config for name, config in self.peripherals.items() if name in needed},
            domains=tuple(name for name in self.domains if name in {given.domain for given in inputs}),
            tasks=kept,
            vocabularies={name: classes for name, classes in self.vocabularies.items() if name in named},
        )

    def _with_one_input(self, task: Task, keyword: str) -> Task:
        """Return a task with one of its alternative inputs."""
        known = self.keywords(task) if task.either else {}
        if keyword not in known:
            alternatives = f"the alternatives {', '.join(known)}" if known else "no alternatives"
            raise ConfigError(f"{task.name}:{keyword}: the inputs of task {task.name} have {alternatives}")
        given, _ = known[keyword]
        uses = tuple(
            replace(use, forms={role: form for role, form in use.forms.items() if role == given.role})
            for use in task.uses
        )
        return replace(task, inputs=(given,), uses=uses, negatives_for="")

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values."""
        peripherals = {name: {KIND: kind_of(config)} | asdict(config) for name, config in self.peripherals.items()}
        return asdict(self) | {"peripherals": peripherals}

    @classmethod
    def from_dict(cls, values: Any, where: str = "network") -> OmniNetConfig:
        """Build from JSON values; missing fields get their defaults.

        Args:
            where: path of the value in the file, for messages.

        Raises:
            ConfigError: a field is unknown, missing without a default, or out of range; the message names it.
        """
        if not isinstance(values, dict):
            raise ConfigError(f"{where} must be an object, not {values!r}")
        built = dict(values)
        for name, build in (("peripherals", _peripheral), ("tasks", _task)):
            if name in values:
                if not isinstance(values[name], dict):
                    raise ConfigError(f"{where}.{name} must be an object, not {values[name]!r}")
                built[name] = {key: build(key, inner, f"{where}.{name}.{key}") for key, inner in values[name].items()}
        return from_dict(cls, built, where)


def _peripheral(name: str, values: Any, where: str) -> Any:
    if not isinstance(values, dict):
        raise ConfigError(f"{where} must be an object, not {values!r}")
    kind = values.get(KIND, name)
    if kind not in MODALITIES:
        raise ConfigError(f"{where}.{KIND}: there is no modality {kind!r}; known are {', '.join(MODALITIES)}")
    return from_dict(MODALITIES[kind].Config, {key: v for key, v in values.items() if key != KIND}, where)


def _task(name: str, values: Any, where: str) -> Task:
    if not isinstance(values, dict):
        raise ConfigError(f"{where} must be an object, not {values!r}")
    return from_dict(Task, {"name": name} | values, where)
