"""Values of a configuration that the command line replaces: ``--set tasks.vqa.batch=32``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel

from model.config import CNPConfig
from model.errors import ConfigError
from model.modalities.language.config import LanguageConfig
from model.modalities.vision.config import VisionConfig
from model.tasks import TASKS
from training.data import DATASETS

DECIDED_BY_DATA = {"vocabulary"}  # subwords of the language peripheral: the tokenizer's
NETWORK = {"cnp": CNPConfig, "vision": VisionConfig, "language": LanguageConfig}
# Names in mappings that pydantic leaves open; one that is not here takes any name.
NAMES = {"tasks": tuple(TASKS), "network": tuple(NETWORK), "datasets": tuple(DATASETS)} | {
    f"network.{part}": tuple(f.name for f in dataclasses.fields(kind) if f.name not in DECIDED_BY_DATA)
    for part, kind in NETWORK.items()
}
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
    known = list(_paths(schema, ""))
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


def _paths(kind: Any, prefix: str) -> Iterator[str]:
    """Every path below ``prefix``, which is of type ``kind``."""
    for name, inner in _inside(kind, prefix).items():
        path = f"{prefix}.{name}".removeprefix(".")
        yield path
        yield from _paths(inner, path)


def _inside(kind: Any, path: str) -> dict[str, Any]:
    """Name -> type of what a value of type ``kind`` holds."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is dict:
        return dict.fromkeys(NAMES.get(path, (ANY,)), arguments[1])
    if origin in {Union, UnionType, Annotated}:
        return {name: inner for part in arguments for name, inner in _inside(part, path).items()}
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
