"""Configuration of the CNP, and validation and JSON conversion of configurations."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from omninet.model.errors import ConfigError

Gate = Literal["paper", "official", "normalised"]
Sampling = Literal["spread", "stride"]
T = TypeVar("T")


def positive(config: object, *names: str) -> None:
    """Check that the named values are positive integers.

    Raises:
        ConfigError: one of them is not.
    """
    for name in names:
        value = getattr(config, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ConfigError(f"{type(config).__name__}.{name} must be a whole number above 0, not {value!r}")


def flags(config: object, *names: str) -> None:
    """Check that the named values are booleans.

    Raises:
        ConfigError: one of them is not.
    """
    for name in names:
        value = getattr(config, name)
        if not isinstance(value, bool):
            raise ConfigError(f"{type(config).__name__}.{name} must be true or false, not {value!r}")


def one_of(config: object, name: str, choices: tuple[Any, ...]) -> None:
    """Check that the named value is one of ``choices``.

    Raises:
        ConfigError: it is not.
    """
    value = getattr(config, name)
    if value not in choices:
        raise ConfigError(f"{type(config).__name__}.{name} must be one of {', '.join(choices)}, not {value!r}")


def plain_name(config: object, name: str) -> None:
    """Check that the named value can be the name of a file; it may be empty.

    Raises:
        ConfigError: it is no text of lower-case letters, digits, hyphens and underscores.
    """
    value = getattr(config, name)
    if not isinstance(value, str) or re.fullmatch("[a-z0-9_-]*", value) is None:
        raise ConfigError(
            f"{type(config).__name__}.{name} must be lower-case letters, digits, hyphens and underscores, not {value!r}"
        )


@dataclass(frozen=True)
class CNPConfig:
    """Configuration of the Central Neural Processor (paper, section 3.2).

    The defaults are the paper's, except for the gate: ``normalised`` transfers better from images to videos than the
    paper's Eq. 1 (docs/reproduction.md).

    Attributes:
        d_model: width of the model (d).
        heads: attention heads (h).
        d_key, d_value: width of one head (k), of queries and keys, and of values.
        d_hidden: hidden width of the feed-forward blocks.
        d_control: width of the control vectors of domains and tasks.
        d_output_embedding: width of the embeddings of output classes.
        max_length: maximum number of time steps of an input and of tokens of an output.
        dropout: dropout of the residual branches.
        attention_dropout: dropout of the attention weights.
        gate: how the temporal weights G gate the spatial attention: ``paper`` multiplies the weights after the softmax
            (Eq. 1); ``official`` multiplies the scores before the softmax and orders positions as the authors' code
            does; ``normalised`` divides the weights of Eq. 1 by their sum.
        link_array: False removes the gate (paper, Table 2).
        spatial_cache: False leaves the spatial cache empty (paper, Table 2).
        recurrent_steps: number of times that the stack of encoder layers, and that of decoder layers, runs.
    """

    d_model: int = 512
    encoder_layers: int = 6
    decoder_layers: int = 6
    heads: int = 8
    d_key: int = 64
    d_value: int = 64
    d_hidden: int = 2048
    d_control: int = 32
    d_output_embedding: int = 300
    max_length: int = 500
    dropout: float = 0.1
    attention_dropout: float = 0.1
    gate: Gate = "normalised"
    link_array: bool = True
    spatial_cache: bool = True
    recurrent_steps: int = 1

    def __post_init__(self) -> None:
        positive(
            self,
            *("d_model", "encoder_layers", "decoder_layers", "heads", "d_key", "d_value", "d_hidden"),
            *("d_control", "d_output_embedding", "max_length", "recurrent_steps"),
        )
        one_of(self, "gate", get_args(Gate))
        flags(self, "link_array", "spatial_cache")
        for name in ("dropout", "attention_dropout"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not 0 <= value < 1:
                raise ConfigError(f"CNPConfig.{name} must be at least 0 and below 1, not {value!r}")


def to_dict(config: Any) -> dict[str, Any]:
    """Convert a configuration to JSON values."""
    return dataclasses.asdict(config)


def from_dict(kind: type[T], values: Any, where: str) -> T:
    """Build the dataclass ``kind`` from JSON values; missing fields get their defaults.

    Args:
        where: path of the value in the file, for messages.

    Raises:
        ConfigError: a field is unknown, missing without a default, or out of range; the message names it.
    """
    if not isinstance(values, dict):
        raise ConfigError(f"{where} must be an object, not {values!r}")
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    known = [f.name for f in fields]
    for f in fields:
        if f.name not in values and f.default is f.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{where}.{f.name} is missing")
    for name in values:
        if name not in known:
            raise ConfigError(f"{where}.{name} is unknown; known are {', '.join(sorted(known))}")
    hints = get_type_hints(kind)
    try:
        return kind(**{name: _value(hints[name], value, f"{where}.{name}") for name, value in values.items()})
    except TypeError as error:
        raise ConfigError(f"{where}: {error}") from error


def _value(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and not isinstance(value, kind):
        return from_dict(kind, value, where)
    if not isinstance(value, list):
        return value
    of = get_args(kind)[0] if get_origin(kind) is tuple and get_args(kind) else None
    return tuple(_value(of, each, f"{where}.{i}") for i, each in enumerate(value))
