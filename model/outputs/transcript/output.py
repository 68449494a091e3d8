"""Transcript output: what is said in a recording, character by character until the end."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from omninet.model.decoding.alignment import NEVER
from omninet.model.decoding.goal import Goal
from omninet.model.decoding.grammar import Transitions
from omninet.model.decoding.hypotheses import Decoded, Hypothesis
from omninet.model.decoding.options import MAX_BEAMS, TEXT_OPTIONS, Option, text_goal
from omninet.model.errors import ConfigError
from omninet.model.modalities.audio import AudioModality
from omninet.model.outputs.base import Metrics, Output
from omninet.model.outputs.text.answer import Piece, Text
from omninet.model.outputs.text.schema import Token
from omninet.model.outputs.transcript.answer import SpokenText, Transcript
from omninet.model.outputs.transcript.errors import transcript_scores
from omninet.model.outputs.transcript.pieces import is_silent, pieces_of
from omninet.model.outputs.transcript.schema import TranscriptBody
from omninet.model.outputs.truth import Truth
from omninet.model.rows import Prepared, Row

if TYPE_CHECKING:
    from omninet.model.job import Job
    from omninet.model.modalities.language.tokenizer import Tokenizer
    from omninet.model.outputs.transcript.head import TranscriptHead
    from omninet.model.processor import Given, Processor
    from omninet.model.tasks import Task

END = "<end>"
ALIGNED = 0.4  # share of the alignment's scores in the search
BEAMS = 2  # times those of other texts, since many characters begin alike
IMPOSSIBLE = NEVER / 10  # log-probability of a text with more characters than its recording has time steps
SILENCE = "nothing can be heard in the recording"


class TranscriptOutput(Output):
    """Answers with the likeliest text and, with ``n_best``, alternatives; every character is a class.

    The search maximises the weighted mean of two log-probabilities of a text: the decoder's, and that of all alignments
    of the text to the time steps (joint decoding, Watanabe et al. 2017). Its sum is the answer's ``log_probability``.
    """

    answers = Transcript
    explains: ClassVar[bool] = False
    streams: ClassVar[bool] = True
    options: ClassVar[Mapping[str, Option]] = {
        name: replace(option, summary=option.summary.replace("subwords", "characters").replace("sentence", "text"))
        for name, option in TEXT_OPTIONS.items()
    }
    counted: ClassVar[str] = "characters"

    @staticmethod
    def head() -> type[TranscriptHead]:
        """Import and return TranscriptHead."""
        from omninet.model.outputs.transcript.head import TranscriptHead

        return TranscriptHead

    def goal(self, task: Task, processor: Processor, options: Mapping[str, Any]) -> Goal:
        """Return the decoding settings from the options and the checkpoint's defaults; see ``text_goal``."""
        end = processor.names_of(task.name).index(END)
        beams = min(BEAMS * processor.config.beams, MAX_BEAMS)
        goal = text_goal(task.name, end, processor.max_length, beams, options)
        return replace(goal, aligned=ALIGNED)

    def prepare(self, processor: Processor, task: Task, given: Sequence[Given], goal: Goal) -> Job:
        """Prepare the recording as one row, or as several if it is longer than the network can read.

        Raises:
            InputError: the file is no recording, has no sound, or is too long; see ``decode_audio``.
        """
        (spoken,) = given
        modality = processor.modalities[spoken.input.peripheral]
        if not isinstance(modality, AudioModality):
            raise ConfigError(f"task {task.name}: its input {spoken.input.role} must be a recording")
        whole = modality.whole(spoken.value, processor.limits)
        step = modality.config.step
        pieces, rows = pieces_of(whole.value, modality.config.rate, processor.max_length * step), []
        if len(pieces) > 1:  # a piece may have nothing in it
            goal = replace(goal, rules=replace(goal.rules, min_length=0))
        for samples in pieces:
            ready = modality.prepare(spoken.input.role, spoken.form, samples, processor.resources)
            prepared = Prepared(spoken.input.peripheral, spoken.input.domain, ready.value)
            of_piece = within(goal, -(-len(samples) // step))
            rows.append(Row((prepared,), _silent(of_piece) if is_silent(samples) else of_piece, task.moves))
        job = processor.job(task, rows, found=(whole,))
        return replace(job, notes=(*job.notes, SILENCE)) if is_silent(whole.value) else job

    def build(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Transcript:
        """Join the texts of all pieces; the alternatives join the next best of each."""
        names, goal = processor.names_of(job.task), job.rows[0].goal
        ranked = [(Hypothesis(tuple(row.tokens), tuple(row.log_probabilities)), *row.others) for row in decoded]
        notes = [*job.notes]
        if any(best.tokens[-1] != goal.end for best, *_ in ranked):
            notes.append("the text was cut: it has more characters than are accepted")
        texts = [
            _joined([_spoken(found[min(i, len(found) - 1)], names) for found in ranked])
            for i in range(max(map(len, ranked)))
        ]
        best, others, known = texts[0], list[SpokenText](), {texts[0].text}
        for text in texts[1:]:
            if text.text not in known and text.log_probability > IMPOSSIBLE:
                others.append(text)
                known.add(text.text)
        if (count := 1 + len(others)) < goal.best:
            notes.append(f"n_best: {count} of {goal.best}, since no more different texts exist")
        explanation = processor.explanation(job, decoded[0], [piece.text for piece in best.tokens])
        return Transcript(best, tuple(others), notes=tuple(notes), explanation=explanation)

    def evidence(self, processor: Processor, task: Task, row: Decoded) -> float:  # noqa: ARG002
        """Return the mean log-probability."""
        return sum(row.log_probabilities) / len(row.log_probabilities)

    def is_right(self, truth: Truth, answer: Transcript) -> bool:
        """Return whether the text is what was said."""
        return answer.best.text == said(truth)

    def target(self, truth: Truth, ids: Mapping[str, int], tokenizer: Tokenizer) -> list[int]:  # noqa: ARG002
        """Return the ids of the characters and of the end."""
        return [ids.get(name, len(ids)) for name in self.classes(truth)]

    def classes(self, truth: Truth) -> list[str]:
        """Return the characters and the end."""
        return [*said(truth), END]

    def line(self, answer: Transcript) -> str:
        """Return the text."""
        return answer.best.text

    def text(self, answer: Transcript) -> str:
        """Format the text and its alternatives, one per line."""
        return "\n".join([answer.best.text, *(other.text for other in answer.alternatives)])

    def schema(self, task: Task) -> type[BaseModel]:  # noqa: ARG002
        """Return the model of a text and its alternatives."""
        return TranscriptBody

    def body(self, task: Task, answer: Transcript) -> BaseModel:  # noqa: ARG002
        """Convert the text with its tokens and alternatives."""
        fields = {name: getattr(answer.best, name) for name in ("text", "log_probability", "tokens")}
        return TranscriptBody.model_validate(fields | {"alternatives": answer.alternatives}, from_attributes=True)

    def partial(self, processor: Processor, task: str, found: Hypothesis) -> Text:
        """Convert characters to text."""
        spoken = _spoken(found, processor.names_of(task))
        return Text(spoken.text, spoken.log_probability, spoken.tokens)

    def parts(self, answer: Text | Transcript) -> list[Token]:
        """Return the characters."""
        tokens = answer.best.tokens if isinstance(answer, Transcript) else answer.tokens
        return [Token.model_validate(piece) for piece in tokens]

    def metrics(self, truths: Sequence[Truth], answers: Sequence[Transcript]) -> Metrics:
        """Compute error rates of words and characters."""
        return transcript_scores([answer.best.text for answer in answers], [said(truth) for truth in truths])

    def constant(self, train: Sequence[Truth], truths: Sequence[Truth]) -> tuple[str, list[Transcript]]:
        """Return the most frequent training text."""
        text = Counter(map(said, train)).most_common(1)[0][0]
        return text, [Transcript(SpokenText(text, 0.0, ()))] * len(truths)


def within(goal: Goal, time_steps: int) -> Goal:
    """Return a goal with at most a character for each time step, as alignments have, and the end."""
    steps = min(goal.steps, time_steps + 1)
    return replace(goal, steps=steps, rules=replace(goal.rules, min_length=min(goal.rules.min_length, steps - 1)))


def said(truth: Truth) -> str:
    """Return the text of an example, with single spaces."""
    return " ".join(truth.answer.split())


def _silent(goal: Goal) -> Goal:
    """Return the goal of a piece without any sound: no character."""
    assert goal.end is not None
    return replace(goal, grammar=Transitions(frozenset({goal.end}), {}))


def _spoken(found: Hypothesis, names: Sequence[str]) -> SpokenText:
    """Convert a hypothesis to text, without the end."""
    pairs = zip(found.tokens, found.log_probabilities, strict=True)
    tokens = tuple(Piece(names[token], math.exp(value)) for token, value in pairs if names[token] != END)
    return SpokenText("".join(piece.text for piece in tokens), found.total, tokens)


def _joined(texts: Sequence[SpokenText]) -> SpokenText:
    """Join the texts of pieces, separated by spaces."""
    tokens = list[Piece]()
    for text in texts:
        if tokens and text.tokens:
            tokens.append(Piece(" ", 1.0))
        tokens += text.tokens
    joined = "".join(piece.text for piece in tokens)
    return SpokenText(joined, sum(text.log_probability for text in texts), tuple(tokens))
