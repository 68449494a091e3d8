"""Interface of a modality: preparation of inputs, without the peripheral. Does not import torch."""

from __future__ import annotations

import json
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from omninet.model.errors import InputError
from omninet.model.media.limits import MediaLimits
from omninet.model.modalities.layout import Layout

if TYPE_CHECKING:
    from omninet.model.modalities.language.tokenizer import Tokenizer
    from omninet.model.modalities.peripheral import Peripheral
    from omninet.model.modalities.vision.config import Framed


@dataclass(frozen=True)
class Form:
    """A form of an input; for example, a picture may be an image or a video.

    Attributes:
        type: type of the value, validated by pydantic; ignored for uploads.
        summary: description of accepted values, for people.
        upload: True if the value is a file, which ``Modality.decode`` reads in a sandboxed process.
        accept: media types and suffixes for the file dialog of a browser.
        shape: ``type`` in words, for messages such as "must be a list of words"; empty uses pydantic's message.
        examples: example values for the API documentation.
    """

    type: Any
    summary: str
    upload: bool = False
    accept: str = ""
    shape: str = ""
    examples: tuple[Any, ...] = ()


@dataclass(frozen=True, eq=False)
class Pair:
    """Two values of one input, such as two pictures of which the first is on the left."""

    first: Any
    second: Any


@dataclass(frozen=True, eq=False)
class Ready:
    """A prepared input and its metadata.

    Attributes:
        value: value that the peripheral collates, made of numpy arrays.
        frames: number of frames that go through a backbone; 0 for other inputs.
        notes: remarks for the user, such as a truncated file.
        times: time stamps of a video's frames, in seconds from its start.
        words: text of each time step, for texts.
        aspect: width divided by height of a picture.
        size: width and height of a picture as displayed, in its own pixels; (0, 0) for other inputs.
    """

    value: Any
    frames: int = 0
    notes: tuple[str, ...] = ()
    times: tuple[float, ...] = ()
    words: tuple[str, ...] = ()
    aspect: float = 1.0
    size: tuple[int, int] = (0, 0)


@dataclass(frozen=True, eq=False)
class Resources:
    """Resources of a checkpoint that modalities share.

    Attributes:
        tokenizer: tokenizer of all texts that name none.
        limits: limits of images, videos and recordings.
        max_steps: maximum number of time steps of an input.
        tokenizers: name -> tokenizer, for texts in other languages.
    """

    tokenizer: Tokenizer
    limits: MediaLimits
    max_steps: int
    tokenizers: Mapping[str, Tokenizer] = field(default_factory=dict)

    def tokenizer_of(self, name: str) -> Tokenizer:
        """Return a tokenizer by its name; the empty name is that of ``tokenizer``."""
        return self.tokenizers[name] if name else self.tokenizer


@dataclass(frozen=True)
class Variation:
    """Settings of training augmentation.

    Attributes:
        generator: generator of all random choices.
        bpe_dropout: probability of splitting a subword in two (BPE dropout).
    """

    generator: random.Random = field(default_factory=lambda: random.Random(0))
    bpe_dropout: float = 0.0


class Modality(ABC):
    """A kind of input; a network has one object for each of its peripherals.

    Attributes:
        Config: frozen dataclass with the configuration of the peripheral, stored in the checkpoint.
        forms: accepted forms: name -> form, the default first.
        decided_by_data: fields of Config that training sets from its data.
        has_backbone: True if the peripheral has a frozen backbone, whose features can be cached.
        has_cells: True if inputs have spatial cells, which explanations can show.
    """

    Config: ClassVar[type[Any]]
    forms: ClassVar[Mapping[str, Form]]
    decided_by_data: ClassVar[frozenset[str]] = frozenset()
    has_backbone: ClassVar[bool] = False
    has_cells: ClassVar[bool] = False

    def __init__(self, config: Any) -> None:
        self.config = config

    @staticmethod
    @abstractmethod
    def peripheral() -> type[Peripheral]:
        """Import and return the class of the peripheral (a late import, because it needs torch)."""

    @abstractmethod
    def prepare(self, role: str, form: str, value: Any, resources: Resources) -> Ready:
        """Convert a user's value to arrays.

        Args:
            role: role of the input in its task, for messages.
            form: name in ``forms``.

        Raises:
            InputError: the value is invalid.
        """

    @abstractmethod
    def sample(self, number: int) -> Any:
        """Return a synthetic value of the first form, another one for each number; for warm-up and precision trials."""

    def keywords(self, role: str, alone: bool) -> Mapping[str, str]:  # noqa: ARG002
        """Return the argument and request field names of an input: name -> form.

        Args:
            alone: True if the task has no other input of this modality.
        """
        return {role: next(iter(self.forms))}

    def varied(self, role: str, form: str, value: Any, resources: Resources, variation: Variation) -> Any:  # noqa: ARG002
        """Prepare a value for training, with random augmentation; by default the same as ``prepare``."""
        return self.prepare(role, form, value, resources).value

    def texts(self, form: str, value: Any) -> Sequence[str]:  # noqa: ARG002
        """Return the texts of an input, on which training fits the subwords; by default none."""
        return ()

    def argument(self, form: str, text: str) -> Any:
        """Parse a command-line argument; by default a path for uploads, otherwise JSON or @FILE with JSON.

        Raises:
            InputError: ``invalid_json``.
        """
        if self.forms[form].upload:
            return Path(text)
        try:
            return json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
        except ValueError as error:
            raise InputError(
                "invalid_json", f"{text} must be JSON, or @ and the name of a JSON file: {error}"
            ) from error

    def decode(self, form: str, data: bytes, limits: MediaLimits) -> Any:
        """Decode the bytes of an upload to a value for ``prepare``; called in a sandboxed process.

        Raises:
            InputError: the bytes are invalid.
        """
        raise NotImplementedError(f"{type(self).__name__} takes no uploads as {form}")

    def pack(self, value: Any) -> tuple[dict[str, Any], bytes]:
        """Serialise a result of ``decode`` to JSON values and bytes, to send it between processes."""
        raise NotImplementedError

    def unpack(self, form: str, header: Mapping[str, Any], data: bytes) -> Any:
        """Deserialise the result of ``pack``; both arguments are untrusted."""
        raise NotImplementedError

    def tiny_file(self, form: str) -> bytes:
        """Return a small valid upload; sandboxed processes decode it at start to import all lazy modules."""
        raise NotImplementedError

    def limits(self, media: MediaLimits, max_steps: int) -> Mapping[str, float]:  # noqa: ARG002
        """Return the limits of an input, as shown to clients: name -> limit.

        Args:
            max_steps: maximum number of time steps of an input.
        """
        return {}

    def most_bytes(self, media: MediaLimits) -> int:  # noqa: ARG002
        """Return the maximum number of bytes that ``pack`` returns."""
        return 0

    @property
    def frame_pixels(self) -> int:
        """Pixels of each frame that goes through the backbone; 0 without a backbone."""
        return 0

    def layout(self, t: int, s: int) -> Layout:
        """Return how the cells of an input, (t, s), lie in its pictures; by default each time step is a square."""
        return Layout.square(t, s)

    def framed(self, ready: Ready) -> Framed | None:  # noqa: ARG002
        """Return the part of each picture that the spatial cells cover; None without cells."""
        return None
