"""What every modality offers, without the network that encodes it: nothing here imports torch."""

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

if TYPE_CHECKING:
    from omninet.model.modalities.language.tokenizer import Tokenizer
    from omninet.model.modalities.peripheral import Peripheral
    from omninet.model.modalities.vision.config import Framed


@dataclass(frozen=True)
class Form:
    """A way to give an input, such as a picture as an image or as a video.

    Attributes:
        type: what HTTP and Python accept, as pydantic reads types; ignored for uploads.
        summary: what is accepted, for people.
        upload: whether it arrives as a file, whose bytes ``Modality.decode`` reads in a confined process.
        accept: media types and suffixes that a browser offers to choose from.
        shape: what ``type`` is in words, for messages such as "must be a list of words"; empty for pydantic's own.
        examples: values that documentation shows.
    """

    type: Any
    summary: str
    upload: bool = False
    accept: str = ""
    shape: str = ""
    examples: tuple[Any, ...] = ()


@dataclass(frozen=True, eq=False)
class Ready:
    """A prepared input and what is to be said of it.

    Attributes:
        value: what the peripheral collates, made of numpy arrays.
        frames: pictures in it that go through a backbone; 0 for an input that needs none.
        notes: what a user must know of the input, such as that its file is cut short.
        times: of a video's frames, in seconds from its start.
        words: one for each time step of a text.
    """

    value: Any
    frames: int = 0
    notes: tuple[str, ...] = ()
    times: tuple[float, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Resources:
    """What modalities share of a checkpoint.

    Attributes:
        max_steps: time steps that an input may have.
    """

    tokenizer: Tokenizer
    limits: MediaLimits
    max_steps: int


@dataclass(frozen=True)
class Variation:
    """How training changes what it shows.

    Attributes:
        generator: the source of every random choice.
        bpe_dropout: share of the subwords that are written as two others.
    """

    generator: random.Random = field(default_factory=lambda: random.Random(0))
    bpe_dropout: float = 0.0


class Modality(ABC):
    """One kind of input; one object for each peripheral of a network.

    Attributes:
        Config: frozen dataclass; its values travel in the checkpoint.
        forms: the ways to give an input, the usual one first.
        decided_by_data: values of Config that training takes from its data.
        has_backbone: whether its peripheral has a frozen backbone, whose features can be computed once and kept.
        has_cells: whether an explanation shows where in the input the network looked.
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
        """Import and return the module that encodes it."""

    @abstractmethod
    def prepare(self, role: str, form: str, value: Any, resources: Resources) -> Ready:
        """Turn a value as a user gives it into arrays.

        Args:
            role: what the input is to its task, for messages.
            form: name in ``forms``.

        Raises:
            InputError: the value cannot be used.
        """

    @abstractmethod
    def sample(self, number: int) -> Any:
        """Make up a value of the first form, another one for each number: warm-up and precision trials run on these."""

    def keywords(self, role: str, alone: bool) -> Mapping[str, str]:  # noqa: ARG002
        """Return the names of arguments and fields by which an input may be given, each with its form.

        Args:
            alone: whether its task has no other input of this modality.
        """
        return {role: next(iter(self.forms))}

    def varied(self, role: str, form: str, value: Any, resources: Resources, variation: Variation) -> Any:  # noqa: ARG002
        """Return a training example's value as the peripheral collates it; by default as it is when served."""
        return self.prepare(role, form, value, resources).value

    def texts(self, form: str, value: Any) -> Sequence[str]:  # noqa: ARG002
        """Return what is written in an input, to which training fits the subwords; by default nothing."""
        return ()

    def argument(self, form: str, text: str) -> Any:
        """Return what a text on the command line means: by default the path of a file, or JSON.

        Raises:
            InputError: it is no JSON.
        """
        if self.forms[form].upload:
            return Path(text)
        try:
            return json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
        except ValueError as error:
            raise InputError("invalid_json", f"{text} is no JSON, nor @ and the name of a file: {error}") from error

    def decode(self, form: str, data: bytes, limits: MediaLimits) -> Any:
        """Turn the bytes of an upload into a value that ``prepare`` takes; called where nothing else can be harmed.

        Raises:
            InputError: the bytes cannot be read.
        """
        raise NotImplementedError(f"{type(self).__name__} takes no uploads as {form}")

    def pack(self, value: Any) -> tuple[dict[str, Any], bytes]:
        """Return what ``decode`` gave as JSON values and bytes, to be sent between processes."""
        raise NotImplementedError

    def unpack(self, form: str, header: Mapping[str, Any], data: bytes) -> Any:
        """Rebuild the value of ``pack``; both arguments may be forged."""
        raise NotImplementedError

    def tiny_file(self, form: str) -> bytes:
        """Return a small upload that ``decode`` reads: confined processes load with it what is loaded late."""
        raise NotImplementedError

    def limits(self, media: MediaLimits, max_steps: int) -> Mapping[str, float]:  # noqa: ARG002
        """Return what an input may have at most, by names for clients.

        Args:
            max_steps: time steps that an input may have.
        """
        return {}

    @property
    def most_bytes(self) -> int:
        """Bytes that ``pack`` gives at most."""
        return 0

    @property
    def frame_pixels(self) -> int:
        """Pixels of each frame that goes through the backbone; 0 where there is none."""
        return 0

    def framed(self, ready: Ready) -> Framed | None:  # noqa: ARG002
        """Return which part of each picture its cells cover; None where there are no cells."""
        return None
