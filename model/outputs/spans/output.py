"""Spans output: a BIO tag for every word, under a grammar, and the entities that the tags mark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from omninet.model.decoding.goal import Goal
from omninet.model.decoding.grammar import OUTSIDE, span_tags
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.outputs.base import Metrics
from omninet.model.outputs.spans.answer import Entities, Entity, NamedSentence
from omninet.model.outputs.spans.bio import Span, span_scores, spans_of
from omninet.model.outputs.spans.schema import EntitiesBody
from omninet.model.outputs.tags.answer import TaggedWord
from omninet.model.outputs.tags.output import TagsOutput
from omninet.model.outputs.truth import Truth

if TYPE_CHECKING:
    from omninet.model.job import Job
    from omninet.model.processor import Processor
    from omninet.model.tasks import Task


class SpansOutput(TagsOutput):
    """Answers with the entities of every sentence; its classes are BIO tags."""

    answers = Entities

    def goal(self, task: Task, processor: Processor, options: Mapping[str, Any]) -> Goal:  # noqa: ARG002
        """Return the decoding settings of a row: ``I-x`` follows ``B-x`` or ``I-x`` only."""
        return Goal(task.name, 1, grammar=span_tags(processor.names_of(task.name)))

    def build(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Any:
        """Return the words and the entities of each sentence."""
        tagging = super().build(processor, job, decoded)
        return Entities(tuple(map(_named, tagging.sentences)), job.notes)

    def is_right(self, truth: Truth, answer: Any) -> bool:
        """Return whether every tag is right."""
        return [word.tag for sentence in answer.sentences for word in sentence.tokens] == list(truth.tags)

    def line(self, answer: Any) -> str:
        """Return the entities with their types."""
        found = (entity for sentence in answer.sentences for entity in sentence.entities)
        return ", ".join(f"{entity.text} ({entity.type})" for entity in found) or "none"

    def text(self, answer: Any) -> str:
        """Format each entity with its type and probability, one per line."""
        found = [entity for sentence in answer.sentences for entity in sentence.entities]
        return "\n".join(f"{e.probability:6.1%}  {e.type:14} {e.text}" for e in found) or "no entity"

    def schema(self, task: Task) -> type[BaseModel]:  # noqa: ARG002
        """Return the model of sentences with entities."""
        return EntitiesBody

    def body(self, task: Task, answer: Any) -> EntitiesBody:  # type: ignore[override]  # noqa: ARG002
        """Convert the sentences with their entities."""
        return EntitiesBody.model_validate({"sentences": list(answer.sentences)}, from_attributes=True)

    def metrics(self, truths: Sequence[Truth], answers: Sequence[Any]) -> Metrics:
        """Return F1, precision and recall of entities, in percent."""
        given = [[word.tag for sentence in answer.sentences for word in sentence.tokens] for answer in answers]
        return span_scores([truth.tags for truth in truths], given)

    def constant(self, train: Sequence[Truth], truths: Sequence[Truth]) -> tuple[str, list[Any]]:  # noqa: ARG002
        """Return no entity for every sentence."""
        words = [tuple(TaggedWord("", None, None, OUTSIDE, 1.0) for _ in truth.tags) for truth in truths]
        return "no entity", [Entities((NamedSentence(each, ()),)) for each in words]


def _named(words: tuple[TaggedWord, ...]) -> NamedSentence:
    return NamedSentence(words, tuple(_entity(words, span) for span in spans_of([word.tag for word in words])))


def _entity(words: Sequence[TaggedWord], span: Span) -> Entity:
    own = words[span.start : span.end]
    text = own[0].text
    for before, word in pairwise(own):
        text += ("" if before.end is not None and before.end == word.start else " ") + word.text
    probability = math.prod(word.probability for word in own)
    return Entity(text, own[0].start, own[-1].end, span.kind, probability)
