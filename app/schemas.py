"""Requests and answers, as JSON."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Form, UploadFile
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from app.backend import Answered
from model.decoding.goal import Explain
from model.decoding.options import TEXT_OPTIONS as LIMITS
from model.outputs.label.answer import Label
from model.outputs.tags.answer import Tagging
from model.outputs.text.answer import Caption

T = TypeVar("T")


def _shape(expected: str) -> WrapValidator:
    """One plain sentence in place of an error for each member of a union."""

    def check(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        try:
            return validate(value)
        except ValidationError:
            raise PydanticCustomError("wrong_shape", f"must be {expected}") from None

    return WrapValidator(check)


def _valid_unicode(value: T) -> T:
    """JSON can spell half of a surrogate pair, which is no character."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("invalid_unicode", "must be valid Unicode; it holds a lone surrogate") from None
    return value


UNICODE = AfterValidator(_valid_unicode)
Question = Annotated[str, UNICODE]
Texts = Annotated[str | list[str], _shape("a string or a list of strings"), UNICODE]
Words = Annotated[list[str] | list[list[str]], _shape("a list of words or a list of lists of words"), UNICODE]
MULTIPART = Form(media_type="multipart/form-data")


class ExplainForm(BaseModel):
    """Whether an answer is to say what it looked at."""

    explain: bool = Field(False, description="Say for each token of the answer what the model attended to.")
    explain_layers: bool = Field(False, description="The same for every layer and head, beside their mean.")
    format: Literal["json", "png"] = Field("json", description="png draws what was attended to, instead of the answer.")

    @property
    def wanted(self) -> Explain | None:
        """What is to be explained."""
        if self.explain_layers:
            return "layers"
        return "mean" if self.explain or self.format == "png" else None


class ImageForm(ExplainForm):
    """An image."""

    model_config = ConfigDict(extra="forbid")
    image: Annotated[UploadFile, Field(description="JPEG, PNG, WebP, GIF (its first frame) or BMP.")]


class VideoForm(ExplainForm):
    """A video."""

    model_config = ConfigDict(extra="forbid")
    video: Annotated[UploadFile, Field(description="mp4, webm, mkv, avi, mov, mpeg-ts or gif.")]


def _within(name: str) -> Any:
    return Field(ge=LIMITS[name].least, le=LIMITS[name].most)


# No form can hold a null, which a schema with None in it would promise.
class TextForm(BaseModel):
    """How to look for a text."""

    beams: Annotated[int, _within("beams")] | SkipJsonSchema[None] = Field(
        None,
        description="Sentences that are followed at the same time to find the likeliest; 1 is greedy, which is the "
        "quickest. By default what the checkpoint was found to do best with.",
    )
    n_best: Annotated[int, _within("n_best")] | SkipJsonSchema[None] = Field(
        None,
        description="Different sentences that are wanted; all but the best are the answer's alternatives. Where no "
        "more exist there are fewer, and a note says so.",
    )
    temperature: Annotated[float, _within("temperature")] | SkipJsonSchema[None] = Field(
        None, description="Draw the sentence; above 1 the unlikely becomes likelier."
    )
    top_p: Annotated[float, _within("top_p")] | SkipJsonSchema[None] = Field(
        None, description="Draw from the likeliest subwords that have so much probability together."
    )
    seed: Annotated[int, _within("seed")] | SkipJsonSchema[None] = Field(
        None, description="Draw the sentence; the same seed draws the same."
    )
    no_repeat_ngram: Annotated[int, _within("no_repeat_ngram")] | SkipJsonSchema[None] = Field(
        None, description="Runs of so many subwords come once only."
    )
    min_length: Annotated[int, _within("min_length")] | SkipJsonSchema[None] = Field(
        None, description="Subwords of the sentence at least."
    )
    max_length: Annotated[int, _within("max_length")] | SkipJsonSchema[None] = Field(
        None, description="Subwords of the sentence at most."
    )

    stream: bool = Field(False, description="Send each subword as soon as it is settled, as server-sent events.")

    def options(self) -> dict[str, Any]:
        """As ``Predictor.prepare`` takes them."""
        return {name: getattr(self, name) for name in LIMITS}


class ImageCaption(ImageForm, TextForm):
    """An image, and how to look for its caption."""


class VideoCaption(VideoForm, TextForm):
    """A video, and how to look for its caption."""


class ImageQuestion(ImageForm):
    """An image and a question about it."""

    question: Annotated[Question, Field(examples=["What is on the table?"])]


class VideoQuestion(VideoForm):
    """A video and a question about it."""

    question: Annotated[Question, Field(examples=["What is the person doing?"])]


class PosRequest(BaseModel):
    """Either ``text`` or ``tokens``."""

    model_config = ConfigDict(extra="forbid")
    text: Texts | None = Field(None, description="A string or a list of strings; each may hold several sentences.")
    tokens: Words | None = Field(None, description="A sentence, or several, already split into words.")


class ModelName(BaseModel):
    """Which model answered."""

    name: str
    version: str


class Timings(BaseModel):
    """Milliseconds. ``queue`` is the time spent waiting, for a decoder or for the model."""

    decode_media: float
    prepare: float
    queue: float
    encode: float
    decode: float
    total: float


class ExplainedToken(BaseModel):
    """What the model attended to for one token of the answer: the mean over all layers and heads.

    ``frames`` and ``words`` sum to 1 together; ``cells``, of each frame rows of columns, are weights after the gate.
    """

    text: str
    frames: list[float]
    words: list[float]
    cells: list[list[list[float]]]


class ExplainedLayers(BaseModel):
    """The same of each layer, head and token; ``steps`` are frames, then words."""

    steps: list[list[list[list[float]]]]
    cells: list[list[list[list[list[list[float]]]]]] | None


class FramedBody(BaseModel):
    """Which part of each picture the cells cover: ``share`` of the sides it was brought to, from the ``window``."""

    treatment: str
    share: float
    window: str


class ExplanationBody(BaseModel):
    """What the model attended to. ``times`` are those of a video's frames, in seconds; an empty word is no word."""

    grid: list[int] = Field(description="Rows and columns of cells of a frame.")
    framing: FramedBody
    times: list[float]
    words: list[str]
    tokens: list[ExplainedToken]
    layers: ExplainedLayers | None = None


class Reply(BaseModel):
    """What every answer carries; ``notes`` say what is worth knowing of the input."""

    model: ModelName
    timings_ms: Timings
    notes: list[str]


class Token(BaseModel):
    """A piece of a written text; the pieces join to the text."""

    model_config = ConfigDict(from_attributes=True)
    text: str
    probability: float


class CaptionText(BaseModel):
    """``log_probability`` sums over the tokens and the end of the text, natural logarithm."""

    model_config = ConfigDict(from_attributes=True)
    caption: str
    log_probability: float
    tokens: list[Token]


class CaptionBody(CaptionText):
    """The best caption, and with ``n_best`` the next ones."""

    alternatives: list[CaptionText]


class AnswerCandidate(BaseModel):
    """A possible answer."""

    answer: str
    probability: float


class AnswerBody(BaseModel):
    """The most probable answer, and the best five."""

    answer: str
    candidates: list[AnswerCandidate]


class ActivityCandidate(BaseModel):
    """A possible activity."""

    activity: str
    probability: float


class ActivityBody(BaseModel):
    """The most probable activity, and the best five."""

    activity: str
    candidates: list[ActivityCandidate]


class TaggedToken(BaseModel):
    """A word with its Penn Treebank tag; the offsets are null for words that were given split."""

    text: str
    start: int | None
    end: int | None
    tag: str
    probability: float


class TaggedSentence(BaseModel):
    """A sentence."""

    tokens: list[TaggedToken]


class PosBody(BaseModel):
    """The sentences of the text in their order; offsets count characters of the string a word stands in."""

    sentences: list[TaggedSentence]


class SeenReply(Reply):
    """The same of what is seen; ``explanation`` is there if it was asked for."""

    explanation: ExplanationBody | None = None


# The second base comes first in the JSON: the answer, then what is about it.
class CaptionReply(SeenReply, CaptionBody):
    """A caption."""


class AnswerReply(SeenReply, AnswerBody):
    """An answer to a question."""


class ActivityReply(SeenReply, ActivityBody):
    """An activity."""


class PosReply(Reply, PosBody):
    """Tagged sentences."""


class ErrorBody(BaseModel):
    """What went wrong: ``code`` for programs, ``message`` for people."""

    code: str
    message: str
    detail: dict[str, Any]


class ErrorReply(BaseModel):
    """The shape of every error."""

    error: ErrorBody


def caption_reply(done: Answered) -> CaptionReply:
    """An answer of ``caption`` as JSON."""
    answer = done.answer
    assert isinstance(answer, Caption)
    return CaptionReply(**CaptionBody.model_validate(answer).model_dump(), **_common(done))


def answer_reply(done: Answered) -> AnswerReply:
    """An answer of ``vqa`` as JSON."""
    answer = done.answer
    assert isinstance(answer, Label)
    candidates = [AnswerCandidate(answer=item.label, probability=item.probability) for item in answer.candidates]
    return AnswerReply(answer=answer.label, candidates=candidates, **_common(done))


def activity_reply(done: Answered) -> ActivityReply:
    """An answer of ``activity`` as JSON."""
    answer = done.answer
    assert isinstance(answer, Label)
    candidates = [ActivityCandidate(activity=item.label, probability=item.probability) for item in answer.candidates]
    return ActivityReply(activity=answer.label, candidates=candidates, **_common(done))


def pos_reply(done: Answered) -> PosReply:
    """An answer of ``pos`` as JSON."""
    answer = done.answer
    assert isinstance(answer, Tagging)
    sentences = [
        TaggedSentence(tokens=[TaggedToken.model_validate(word, from_attributes=True) for word in words])
        for words in answer.sentences
    ]
    return PosReply(sentences=sentences, **_common(done))


def _common(done: Answered) -> dict[str, Any]:
    return {
        "model": ModelName(name=done.name, version=done.version),
        "timings_ms": Timings(**done.timings),
        "notes": list(done.answer.notes),
    }
