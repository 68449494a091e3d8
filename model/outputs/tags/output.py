"""Tags output: one class for every word of a text, decoded in one step per word."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from omninet.model.decoding.goal import Goal
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.outputs.base import Metrics
from omninet.model.outputs.label.metrics import accuracy, macro_recall
from omninet.model.outputs.sentences import SentencesOutput
from omninet.model.outputs.tags.answer import TaggedWord, Tagging
from omninet.model.outputs.tags.schema import PosBody, TaggedSentence, TaggedToken
from omninet.model.outputs.truth import Truth

if TYPE_CHECKING:
    from omninet.model.job import Job
    from omninet.model.modalities.language.tokenizer import Tokenizer
    from omninet.model.processor import Processor
    from omninet.model.tasks import Task


class TagsOutput(SentencesOutput):
    """Answers with a tag for every word; each sentence is a row with one decoding step per word."""

    answers: ClassVar[type[Any]] = Tagging
    counted: ClassVar[str] = "words"

    def goal_of(self, processor: Processor, goal: Goal, words: int) -> Goal:  # noqa: ARG002
        """Return the goal of one tag for every word."""
        return replace(goal, steps=words)

    def build(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Tagging:
        """Return the words of each sentence with their tags."""
        names = processor.names_of(job.task)
        tagged = [
            tuple(
                TaggedWord(word.text, word.start, word.end, names[tag], math.exp(value))
                for word, tag, value in zip(words, row.tokens, row.log_probabilities, strict=True)
            )
            for words, row in zip(job.sentences, decoded, strict=True)
        ]
        return Tagging(tuple(tagged), job.notes)

    def is_right(self, truth: Truth, answer: Tagging) -> bool:
        """Return whether every tag is right."""
        return [word.tag for words in answer.sentences for word in words] == list(truth.tags)

    def target(self, truth: Truth, ids: Mapping[str, int], tokenizer: Tokenizer) -> list[int]:  # noqa: ARG002
        """Return the class id of each word's tag."""
        return [ids.get(tag, len(ids)) for tag in truth.tags]

    def classes(self, truth: Truth) -> Sequence[str]:
        """Return the tags as class names."""
        return truth.tags

    def line(self, answer: Tagging) -> str:
        """Return the tags, separated by spaces."""
        return " ".join(word.tag for words in answer.sentences for word in words)

    def text(self, answer: Tagging) -> str:
        """Format words as word/tag, one line per sentence."""
        return "\n".join(" ".join(f"{w.text}/{w.tag}" for w in sentence) for sentence in answer.sentences)

    def schema(self, task: Task) -> type[BaseModel]:  # noqa: ARG002
        """Return the model of tagged sentences."""
        return PosBody

    def body(self, task: Task, answer: Tagging) -> PosBody:  # noqa: ARG002
        """Convert the tagged sentences."""
        sentences = [
            TaggedSentence(tokens=[TaggedToken.model_validate(word, from_attributes=True) for word in words])
            for words in answer.sentences
        ]
        return PosBody(sentences=sentences)

    def metrics(self, truths: Sequence[Truth], answers: Sequence[Tagging]) -> Metrics:
        """Return the accuracy of words and the mean recall of tags, in percent."""
        wanted = [tag for truth in truths for tag in truth.tags]
        given = [word.tag for answer in answers for words in answer.sentences for word in words]
        return {"accuracy of words": accuracy(wanted, given), "mean recall of tags": macro_recall(wanted, given)}

    def constant(self, train: Sequence[Truth], truths: Sequence[Truth]) -> tuple[str, list[Tagging]]:
        """Return the most frequent tag of the training data."""
        tag, _ = Counter(tag for truth in train for tag in truth.tags).most_common(1)[0]
        sentences: list[Any] = [tuple(TaggedWord("", None, None, tag, 1.0) for _ in truth.tags) for truth in truths]
        return tag, [Tagging((words,)) for words in sentences]
