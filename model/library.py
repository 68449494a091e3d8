"""The built-in tasks as typed methods, for editors and type checkers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Unpack, cast

from omninet.model.decoding.options import TextOptions
from omninet.model.errors import InputError
from omninet.model.predictor import Predictor
from omninet.model.uses import shared_uses

if TYPE_CHECKING:
    from omninet.model.modalities.audio.modality import AudioInput
    from omninet.model.modalities.pictures import PictureInput
    from omninet.model.modalities.vision.modality import VideoInput
    from omninet.model.outputs.boxes.answer import Places
    from omninet.model.outputs.embedding.answer import Embedding
    from omninet.model.outputs.label.answer import Label
    from omninet.model.outputs.match.answer import Match
    from omninet.model.outputs.scene.answer import ReadScene
    from omninet.model.outputs.spans.answer import Entities
    from omninet.model.outputs.tags.answer import Tagging
    from omninet.model.outputs.text.answer import Caption
    from omninet.model.outputs.transcript.answer import Transcript
    from omninet.model.outputs.translation.answer import Translation
    from omninet.model.outputs.trees.answer import Parse


class Model(Predictor):
    """A loaded checkpoint with one typed method per task; ``predict(task, ...)`` runs any task.

    All methods raise InputError if an input is invalid or the checkpoint does not have the task.
    """

    def caption(self, image: PictureInput, **options: Unpack[TextOptions]) -> Caption:
        """Write a sentence about an image."""
        return cast("Caption", self.predict("caption", image=image, **options))

    def video_caption(self, video: VideoInput, **options: Unpack[TextOptions]) -> Caption:
        """Write a sentence about a video."""
        return cast("Caption", self.predict("caption", video=video, **options))

    def vqa(self, image: PictureInput, question: str) -> Label:
        """Answer a question about an image."""
        return cast("Label", self.predict("vqa", image=image, question=question))

    def video_qa(self, video: VideoInput, question: str) -> Label:
        """Answer a question about a video."""
        return cast("Label", self.predict("vqa", video=video, question=question))

    def activity(self, video: VideoInput) -> Label:
        """Classify the activity in a video."""
        return cast("Label", self.predict("activity", video=video))

    def pos(self, text: str | Sequence[str]) -> Tagging:
        """Tag the words of one or more texts with their parts of speech."""
        return cast("Tagging", self.predict("pos", text=text if isinstance(text, str) else list(text)))

    def entities(self, text: str | Sequence[str]) -> Entities:
        """Find the names of people, places and other things in one or more texts."""
        return cast("Entities", self.predict("entities", text=text if isinstance(text, str) else list(text)))

    def parse(self, text: str | Sequence[str]) -> Parse:
        """Find the constituents of the sentences of one or more texts."""
        return cast("Parse", self.predict("parse", text=text if isinstance(text, str) else list(text)))

    def translate(
        self, text: str | Sequence[str], source: str = "en", target: str = "de", *, image: PictureInput | None = None
    ) -> Translation:
        """Translate one or more texts, which may be about an image, between two languages, given by ISO 639-1 codes.

        Raises:
            InputError: ``bad_option``: the checkpoint has no task for this pair of languages.
        """
        name = "translate" if image is None else "translate/picture"
        known = {use.choice: task for task, use in shared_uses(self.config.network.tasks.values()).get(name, ())}
        if (task := known.get(f"{source}-{target}")) is None:
            message = f"source-target must be one of {', '.join(known) or 'none'}, not {source}-{target}"
            raise InputError("bad_option", message, option="source-target")
        texts = text if isinstance(text, str) else list(text)
        return cast("Translation", self.predict(task.name, text=texts, image=image))

    def transcribe(self, audio: AudioInput, **options: Unpack[TextOptions]) -> Transcript:
        """Write down what is said in a recording."""
        return cast("Transcript", self.predict("transcribe", audio=audio, **options))

    def read(self, image: PictureInput, *, least: float | None = None) -> ReadScene:
        """Read the words in an image; those of a probability below ``least`` are left out."""
        return cast("ReadScene", self.predict("read_scene", image=image, least=least))

    def read_word(self, image: PictureInput, **options: Unpack[TextOptions]) -> Transcript:
        """Read the word on an image of it."""
        return cast("Transcript", self.predict("read_word", image=image, **options))

    def match(self, image: PictureInput, text: str) -> Match:
        """Tell how well a text fits an image."""
        return cast("Match", self.predict("match", image=image, text=text))

    def embed(
        self,
        image: PictureInput | None = None,
        text: str | None = None,
        *,
        exit: str | None = None,  # noqa: A002 - the name of the option
    ) -> Embedding:
        """Return a vector of an image or a text, read at the exit ``fast``, ``balanced`` or ``best``."""
        return cast("Embedding", self.predict("embed", image=image, text=text, exit=exit))

    def ground(
        self, image: PictureInput, phrase: str, *, candidates: Sequence[Sequence[float]] | None = None
    ) -> Places:
        """Find the thing that a phrase names in an image, among ``candidates`` (x1, y1, x2, y2 in pixels) if given."""
        given = None if candidates is None else [list(box) for box in candidates]
        return cast("Places", self.predict("ground", image=image, phrase=phrase, candidates=given))

    def verify(
        self,
        image: PictureInput,
        statement: str,
        *,
        kind: Literal["entailment", "truth"] = "entailment",
        second_image: PictureInput | None = None,
    ) -> Label:
        """Tell whether an image entails a statement, or whether the statement is true of it.

        Args:
            second_image: the right one of two images, of which the statement may be ``truth``.

        Raises:
            InputError: ``not_trained``: the model does not compare two images in this way.
        """
        task = "pair" if kind == "truth" and second_image is not None and "pair" in self.tasks else kind
        return cast("Label", self.predict(task, image=image, second_image=second_image, statement=statement))

    def classify(self, image: PictureInput, *, classes: str | None = None) -> Label:
        """Name the thing that an image shows; ``classes`` is a classification task of the model, by default its first.

        Raises:
            InputError: ``task_not_in_checkpoint``: the model has no such task.
        """
        known = [name for name in self.tasks if any(use.name == "classify" for use in self.task(name).uses)]
        return cast("Label", self.predict(classes or next(iter(known), "imagenet"), image=image))
