"""Overrides of configuration values from the command line: ``--set tasks.vqa.batch=32``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import yaml
from pydantic import BaseModel

from omninet.model.config import CNPConfig
from omninet.model.errors import ConfigError
from omninet.model.modalities import MODALITIES
from omninet.model.network_config import KIND
from omninet.model.tasks import TASKS
from omninet.training.data import DATASETS

ANY = "*"
NEAR = 3


def apply(values: Any, overrides: Sequence[str], schema: type[BaseModel]) -> Any:
    """Return raw configuration values with overrides applied in order; the arguments are not changed.

    Args:
        values: parsed YAML; only the parts that the overrides touch are checked.
        overrides: ``path=value`` each, such as ``network.cnp.d_model=128``; values are parsed as YAML.
        schema: model of the values.

    Raises:
        ConfigError: an override is malformed or its path is unknown; the message suggests similar paths.
    """
    known = list(_paths(schema, "", _names(values)))
    for override in overrides:
        path, value = _parse(override)
        if not any(_matches(pattern, path) for pattern in known):
            near = ", ".join(_near(path, known))
            raise ConfigError(f"--set {override}: {path!r} is unknown; similar paths are {near}")
        values = _put(values, path, value)
    return values


def _parse(override: str) -> tuple[str, Any]:
    path, equals, value = override.partition("=")
    if not equals:
        raise ConfigError(f"--set {override}: expected path=value, such as steps=100 or tasks.vqa.batch=32")
    try:
        return path.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override}: the value is no valid YAML: {error}") from error


def _names(values: Any) -> dict[str, tuple[str, ...]]:
    """Return the keys allowed in open mappings of the schema; a mapping that is not listed allows any key."""
    network = values.get("network") if isinstance(values, dict) else None
    kinds = {name: name for name in MODALITIES}
    for name, inner in network.items() if isinstance(network, dict) else ():
        if isinstance(inner, dict) and inner.get(KIND) in MODALITIES:
            kinds[name] = inner[KIND]
    found = {"tasks": tuple(TASKS), "network": ("cnp", *kinds), "datasets": tuple(DATASETS)}
    found |= _fields("network.cnp", CNPConfig)
    for name, kind in kinds.items():
        modality, path = MODALITIES[kind], f"network.{name}"
        found |= _fields(path, modality.Config)
        found[path] = (*(each for each in found[path] if each not in modality.decided_by_data), KIND)
    return found


def _fields(path: str, kind: Any) -> dict[str, tuple[str, ...]]:
    """Return the fields of a dataclass at a path, and those of the dataclasses in it by their paths."""
    hints = get_type_hints(kind)
    found = {path: tuple(field.name for field in dataclasses.fields(kind))}
    for name in found[path]:
        if dataclasses.is_dataclass(hints[name]):
            found |= _fields(f"{path}.{name}", hints[name])
    return found


def _paths(kind: Any, prefix: str, names: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Yield every path below ``prefix``, whose value has type ``kind``."""
    for name, inner in _inside(kind, prefix, names).items():
        path = f"{prefix}.{name}".removeprefix(".")
        yield path
        yield from _paths(inner, path, names)


def _inside(kind: Any, path: str, names: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Return name -> type of the fields of a value of type ``kind``."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is dict:
        return dict.fromkeys(names.get(path, (ANY,)), arguments[1])
    if origin in {Union, UnionType, Annotated}:
        return {name: inner for part in arguments for name, inner in _inside(part, path, names).items()}
    if kind is Any:
        return dict.fromkeys(names.get(path, ()), Any)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    return {}


def _matches(pattern: str, path: str) -> bool:
    ours, theirs = pattern.split("."), path.split(".")
    return len(ours) == len(theirs) and all(a in (ANY, b) for a, b in zip(ours, theirs, strict=True))


def _near(path: str, known: Sequence[str]) -> list[str]:
    """Return paths with similar spelling, else with the same last part, else all top-level paths."""
    ending = [name for name in known if name.rpartition(".")[2] == path.rpartition(".")[2]]
    return get_close_matches(path, known, NEAR) or ending[:NEAR] or [name for name in known if "." not in name]


def _put(values: Any, path: str, value: Any) -> dict[str, Any]:
    """Return a copy with one value replaced; missing or null mappings on the path are created."""
    if not isinstance(values, dict | None):
        raise ConfigError(f"{path} cannot be set: expected a mapping, found {values!r}")
    name, _, rest = path.partition(".")
    inside: dict[str, Any] = values or {}
    return inside | {name: _put(inside.get(name), rest, value) if rest else value}
