"""What a network is, as frozen values that travel with its weights."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from omninet.model.errors import ConfigError

Gate = Literal["paper", "official", "normalised"]
Sampling = Literal["spread", "stride"]
T = TypeVar("T")


def positive(config: object, *names: str) -> None:
    """Hold that the named values are whole numbers above 0."""
    for name in names:
        value = getattr(config, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ConfigError(f"{type(config).__name__}.{name} must be a whole number above 0, not {value!r}")


def flags(config: object, *names: str) -> None:
    """Hold that the named values are true or false."""
    for name in names:
        value = getattr(config, name)
        if not isinstance(value, bool):
            raise ConfigError(f"{type(config).__name__}.{name} must be true or false, not {value!r}")


def one_of(config: object, name: str, choices: tuple[Any, ...]) -> None:
    """Hold that the named value is one of ``choices``."""
    value = getattr(config, name)
    if value not in choices:
        raise ConfigError(f"{type(config).__name__}.{name} must be one of {', '.join(choices)}, not {value!r}")


@dataclass(frozen=True)
class CNPConfig:
    """Central Neural Processor (paper, section 3.2).

    The defaults are the paper's, but for the gate: it is ``normalised`` where the paper's Eq. 1 is ``paper``, since a
    network that was trained on pictures then makes more of videos (docs/reproduction.md).

    Attributes:
        dropout, attention_dropout: of what the blocks add, and of attention weights.
        gate: how the temporal weights G gate the spatial attention: ``paper`` is Eq. 1, after the
            softmax; ``official`` is the authors' code, before it and in its own order of positions;
            ``normalised`` is Eq. 1 divided by its sum.
        link_array: False removes the gate (Table 2).
        spatial_cache: False stores no spatial vectors (Table 2).
        recurrent_steps: how often the encoder's and the decoder's layers are run in turn.
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
    """A configuration as JSON values."""
    return dataclasses.asdict(config)


def from_dict(kind: type[T], values: Any, where: str) -> T:
    """Build the dataclass ``kind`` from JSON values; what is missing has its default.

    Raises:
        ConfigError: an unknown name, one that is missing and has no default, or a value out of range; it is named.
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
