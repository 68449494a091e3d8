"""The network configuration of a run, derived from its settings, its tasks and its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from omninet.model.config import CNPConfig, from_dict, to_dict
from omninet.model.errors import ConfigError
from omninet.model.modalities import MODALITIES
from omninet.model.network_config import KIND, OmniNetConfig
from omninet.model.outputs import OUTPUTS, Output
from omninet.model.tasks import TASKS, Task

if TYPE_CHECKING:
    from omninet.training.config import RunConfig

T = TypeVar("T")
CNP = "cnp"


def network_config(
    config: RunConfig,
    subwords: int,
    vocabularies: Mapping[str, tuple[str, ...]],
    of_tokenizers: Mapping[str, int] | None = None,
) -> OmniNetConfig:
    """Return the network configuration, with the number of subwords and the classes of each vocabulary.

    Peripherals are in the order of their modalities and domains in alphabetical order, so that the order of the tasks
    in the configuration does not affect the random initialisation.

    Args:
        subwords: number of subwords of all texts that name no tokenizer.
        of_tokenizers: name of a tokenizer -> number of its subwords; those that are left out have ``subwords``.
    """
    tasks, counts = tasks_of(config), of_tokenizers or {}
    parts = network_parts(config, {"vocabulary": subwords})
    for name, part in parts.items():
        if (count := counts.get(getattr(part, "tokenizer", ""))) is not None:
            parts[name] = replace(part, vocabulary=count)
    needed = {given.peripheral for task in tasks.values() for given in task.inputs}
    domains = {given.domain for task in tasks.values() for given in task.inputs}
    sizes = {
        name: len(vocabularies[name]) if name in vocabularies else counts.get(sharing[0].tokenizer, subwords)
        for name, sharing in vocabularies_of(config).items()
    }
    peripherals = {name: part for name, part in parts.items() if name in needed}
    return OmniNetConfig(parts[CNP], peripherals, tuple(sorted(domains)), tasks, sizes)


def network_parts(config: RunConfig, decided: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the configurations of the CNP and of each peripheral that the tasks need or the run configures, by name.

    Args:
        decided: values determined by the data, by name; None uses defaults.

    Raises:
        ConfigError: a name or a value is invalid.
    """
    parts: dict[str, Any] = {CNP: changed(CNPConfig(), config.network.get(CNP, {}), f"network.{CNP}")}
    needed = [given.peripheral for task in tasks_of(config).values() for given in task.inputs]
    kinds = {name: kind_in(config, name) for name in (*needed, *config.network) if name != CNP}
    for name in sorted(kinds, key=lambda name: list(MODALITIES).index(kinds[name])):
        modality = MODALITIES[kinds[name]]
        values = {key: value for key, value in (decided or {}).items() if key in modality.decided_by_data}
        mine = {key: value for key, value in config.network.get(name, {}).items() if key != KIND}
        parts[name] = changed(modality.Config(), mine | values, f"network.{name}")
    return parts


def kind_in(config: RunConfig, peripheral: str) -> str:
    """Return the modality of a peripheral: its ``kind``, or else its name.

    Raises:
        ConfigError: the modality is unknown.
    """
    kind = config.network.get(peripheral, {}).get(KIND, peripheral)
    if kind not in MODALITIES:
        raise ConfigError(
            f"network.{peripheral} has no known modality: set its {KIND} to one of {', '.join(MODALITIES)}, "
            f"not {kind!r}"
        )
    return str(kind)


def check_network(config: RunConfig) -> None:
    """Check before training that the tasks have everything that training and evaluation need.

    Raises:
        ConfigError: something is missing or inconsistent; the message names it.
    """
    for task in tasks_of(config).values():
        if task.output not in OUTPUTS:
            raise ConfigError(f"task {task.name}: unknown output {task.output!r}; known are {', '.join(OUTPUTS)}")
        output = OUTPUTS[task.output]
        if output.has_vocabulary and output.named and type(output).classes is Output.classes:
            raise ConfigError(f"task {task.name}: its output {task.output} must implement classes()")
        if not output.has_vocabulary and "classes" in output.head().reads:
            raise ConfigError(
                f"task {task.name}: its output {task.output} has no vocabulary, but its head reads classes"
            )
    for name, tasks in vocabularies_of(config).items():
        if len({OUTPUTS[task.output].named for task in tasks}) > 1:
            raise ConfigError(f"vocabulary {name}: {_names(tasks)} cannot share it: only one of them uses subwords")
        if len({limit for task in tasks if (limit := config.tasks[task.name].classes)}) > 1:
            raise ConfigError(f"vocabulary {name}: {_names(tasks)} share it and must have the same number of classes")
    for name, modality in _modalities(config).items():
        unknown = modality.decided_by_data - {"vocabulary"}
        if unknown or not modality.decided_by_data <= {field.name for field in fields(modality.Config)}:
            raise ConfigError(
                f"network.{name}: the data cannot determine {', '.join(sorted(unknown or modality.decided_by_data))}"
            )
    network_config(config, config.vocabulary, dict.fromkeys(named_vocabularies(config), ("",)))


def needs_backbone(config: RunConfig) -> bool:
    """Return whether a run's network has a frozen backbone."""
    return any(modality.has_backbone for modality in _modalities(config).values())


def tasks_of(config: RunConfig) -> dict[str, Task]:
    """Return the tasks of a run by name."""
    return {name: TASKS[name] for name in config.tasks}


def vocabularies_of(config: RunConfig) -> dict[str, list[Task]]:
    """Return the vocabularies of a run by name, each with the tasks that share it."""
    found: dict[str, list[Task]] = {}
    for task in tasks_of(config).values():
        if task.vocabulary:
            found.setdefault(task.vocabulary, []).append(task)
    return found


def named_vocabularies(config: RunConfig) -> dict[str, list[Task]]:
    """Return the vocabularies whose classes have names, which excludes vocabularies of subwords."""
    return {name: tasks for name, tasks in vocabularies_of(config).items() if OUTPUTS[tasks[0].output].named}


def _modalities(config: RunConfig) -> dict[str, Any]:
    needed = {given.peripheral for task in tasks_of(config).values() for given in task.inputs}
    return {name: MODALITIES[kind_in(config, name)] for name in needed}


def _names(tasks: list[Task]) -> str:
    return " and ".join(task.name for task in tasks)


def changed(defaults: T, changes: Mapping[str, Any], where: str) -> T:
    """Return a copy of a configuration with some values replaced."""
    return from_dict(type(defaults), _merged(to_dict(defaults), changes), where)


def _merged(defaults: Any, changes: Any) -> Any:
    """Merge changes into nested mappings."""
    if not isinstance(defaults, Mapping) or not isinstance(changes, Mapping):
        return changes
    return {**defaults, **{name: _merged(defaults.get(name), value) for name, value in changes.items()}}
