"""Values of a configuration that the command line replaces: ``--set tasks.vqa.batch=32``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

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
    """Raw values with some of them replaced, in order; the arguments stay as they are.

    Args:
        values: as YAML has them; only what the overrides need is looked at.
        overrides: each ``path=value``, such as ``network.cnp.d_model=128``; the value is YAML.
        schema: what the values are of.

    Raises:
        ConfigError: an override has no such form or an unknown path; the message names it and the nearest known.
    """
    known = list(_paths(schema, "", _names(values)))
    for override in overrides:
        path, value = _parse(override)
        if not any(_matches(pattern, path) for pattern in known):
            raise ConfigError(f"--set {override}: {path!r} is unknown; near it are {', '.join(_near(path, known))}")
        values = _put(values, path, value)
    return values


def _parse(override: str) -> tuple[str, Any]:
    path, equals, value = override.partition("=")
    if not equals:
        raise ConfigError(f"--set {override}: expected path=value, such as steps=100 or tasks.vqa.batch=32")
    try:
        return path.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override}: the value is no YAML: {error}") from error


def _names(values: Any) -> dict[str, tuple[str, ...]]:
    """Names in mappings that pydantic leaves open; one that is not here takes any name."""
    network = values.get("network") if isinstance(values, dict) else None
    kinds = {name: name for name in MODALITIES}
    for name, inner in network.items() if isinstance(network, dict) else ():
        if isinstance(inner, dict) and inner.get(KIND) in MODALITIES:
            kinds[name] = inner[KIND]
    found = {"tasks": tuple(TASKS), "network": ("cnp", *kinds), "datasets": tuple(DATASETS)}
    found["network.cnp"] = tuple(field.name for field in dataclasses.fields(CNPConfig))
    for name, kind in kinds.items():
        modality = MODALITIES[kind]
        own = (field.name for field in dataclasses.fields(modality.Config))
        found[f"network.{name}"] = (*(each for each in own if each not in modality.decided_by_data), KIND)
    return found


def _paths(kind: Any, prefix: str, names: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Every path below ``prefix``, which is of type ``kind``."""
    for name, inner in _inside(kind, prefix, names).items():
        path = f"{prefix}.{name}".removeprefix(".")
        yield path
        yield from _paths(inner, path, names)


def _inside(kind: Any, path: str, names: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Name -> type of what a value of type ``kind`` holds."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is dict:
        return dict.fromkeys(names.get(path, (ANY,)), arguments[1])
    if origin in {Union, UnionType, Annotated}:
        return {name: inner for part in arguments for name, inner in _inside(part, path, names).items()}
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    return {}


def _matches(pattern: str, path: str) -> bool:
    ours, theirs = pattern.split("."), path.split(".")
    return len(ours) == len(theirs) and all(a in (ANY, b) for a, b in zip(ours, theirs, strict=True))


def _near(path: str, known: Sequence[str]) -> list[str]:
    """Paths that are spelt alike, else those that end alike, else those at the top."""
    ending = [name for name in known if name.rpartition(".")[2] == path.rpartition(".")[2]]
    return get_close_matches(path, known, NEAR) or ending[:NEAR] or [name for name in known if "." not in name]


def _put(values: Any, path: str, value: Any) -> dict[str, Any]:
    """A copy with one value replaced; mappings on the way to it that are missing or null are made."""
    if not isinstance(values, dict | None):
        raise ConfigError(f"{path} cannot be set in {values!r}, where a mapping is expected")
    name, _, rest = path.partition(".")
    inside: dict[str, Any] = values or {}
    return inside | {name: _put(inside.get(name), rest, value) if rest else value}
