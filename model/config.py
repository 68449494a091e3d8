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


def not_negative(config: object, *names: str) -> None:
    """Check that the named values are integers, 0 or more, or tuples of such integers.

    Raises:
        ConfigError: one of them is not.
    """
    for name in names:
        value = getattr(config, name)
        for number in value if isinstance(value, tuple) else (value,):
            if not isinstance(number, int) or isinstance(number, bool) or number < 0:
                raise ConfigError(f"{type(config).__name__}.{name} must be whole numbers from 0, not {value!r}")


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
class ExpertsConfig:
    """Mixtures of experts in place of feed-forward blocks (Shazeer et al. 2017).

    Attributes:
        number: experts of a mixture; 0 if there are no mixtures.
        chosen: experts that process a position.
        d_hidden: hidden width of an expert; 0 is that of the feed-forward blocks.
        encoder, decoder: layers that have a mixture, counted from 0.
    """

    number: int = 0
    chosen: int = 2
    d_hidden: int = 0
    encoder: tuple[int, ...] = ()
    decoder: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        positive(self, "chosen")
        not_negative(self, "number", "d_hidden", "encoder", "decoder")
        if bool(self.number) != bool(self.encoder or self.decoder):
            raise ConfigError("ExpertsConfig needs both a number of experts and the layers that have them, or neither")
        if self.number and self.chosen >= self.number:
            raise ConfigError(f"ExpertsConfig.chosen must be below number, {self.number}, not {self.chosen}")


@dataclass(frozen=True)
class ConvolutionsConfig:
    """Convolutional blocks of the layers and of the mixer (Kaiser et al. 2017, 2.1).

    Attributes:
        encoder: ``beside`` puts a block before the self-attention of each encoder layer, ``only`` in its place.
        decoder: puts a causal block before the self-attention of each decoder layer.
        kernels, dilations: of each step of a block.
    """

    encoder: Literal["none", "beside", "only"] = "none"
    decoder: bool = False
    kernels: tuple[int, ...] = (3, 3, 15, 15)
    dilations: tuple[int, ...] = (1, 1, 1, 8)

    def __post_init__(self) -> None:
        one_of(self, "encoder", ("none", "beside", "only"))
        flags(self, "decoder")
        not_negative(self, "kernels", "dilations")
        if not self.kernels or len(self.kernels) != len(self.dilations) or 0 in self.dilations:
            raise ConfigError("ConvolutionsConfig needs kernels, and a dilation above 0 for each of them")
        if even := [kernel for kernel in self.kernels if kernel % 2 == 0]:
            raise ConfigError(f"ConvolutionsConfig.kernels must be odd, not {even[0]}")


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
        experts: mixtures of experts in place of feed-forward blocks.
        convolutions: convolutional blocks in the layers.
        mixer: True puts an attention to the temporal cache and two convolutional blocks before the decoder's layers.
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
    experts: ExpertsConfig = ExpertsConfig()
    convolutions: ConvolutionsConfig = ConvolutionsConfig()
    mixer: bool = False

    def __post_init__(self) -> None:
        positive(
            self,
            *("d_model", "encoder_layers", "decoder_layers", "heads", "d_key", "d_value", "d_hidden"),
            *("d_control", "d_output_embedding", "max_length", "recurrent_steps"),
        )
        one_of(self, "gate", get_args(Gate))
        flags(self, "link_array", "spatial_cache", "mixer")
        for part, layers in (("encoder", self.encoder_layers), ("decoder", self.decoder_layers)):
            if missing := [layer for layer in getattr(self.experts, part) if layer >= layers]:
                raise ConfigError(f"CNPConfig.experts.{part} names layer {missing[0]}, but the last is {layers - 1}")
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
