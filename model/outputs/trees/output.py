"""Trees output: brackets around the words of every sentence, under a grammar that admits only complete trees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from omninet.model.decoding.goal import Goal
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.errors import InputError
from omninet.model.outputs.base import Metrics
from omninet.model.outputs.sentences import SentencesOutput
from omninet.model.outputs.trees.answer import Parse, ParsedSentence
from omninet.model.outputs.trees.brackets import bracket_grammar, classes_of, written
from omninet.model.outputs.trees.evalb import evalb_scores
from omninet.model.outputs.trees.tree import Tree, read_trees
from omninet.model.outputs.truth import Truth

if TYPE_CHECKING:
    from omninet.model.job import Job
    from omninet.model.modalities.language.tokenizer import Tokenizer
    from omninet.model.processor import Processor
    from omninet.model.tasks import Task

# Maximum number of classes of a tree: PER_WORD for each word, and SPARE. The treebank's longest trees have 3.7 a word.
PER_WORD, SPARE = 4, 8
LEAST = 3  # a constituent around all words, and the end


class TreesOutput(SentencesOutput):
    """Answers with the tree of every sentence; examples have theirs, in brackets, as ``truth``."""

    answers = Parse
    counted: ClassVar[str] = "brackets"

    def goal(self, task: Task, processor: Processor, options: Mapping[str, Any]) -> Goal:  # noqa: ARG002
        """Return the decoding settings of a request."""
        return Goal(task.name, 1, beams=processor.config.beams)

    def goal_of(self, processor: Processor, goal: Goal, words: int) -> Goal:
        """Return the goal of a complete tree with as many words as the sentence has.

        Raises:
            InputError: ``text_too_long``: the sentence has too many words.
        """
        most = processor.config.network.cnp.max_length
        if words + LEAST > most:
            message = f"a sentence of the text has {words} words; a tree has at most {most - LEAST}"
            raise InputError("text_too_long", message)
        grammar = bracket_grammar(processor.names_of(goal.task), words, min(PER_WORD * words + SPARE, most))
        return replace(goal, steps=grammar.steps, end=grammar.end, grammar=grammar)

    def build(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Parse:
        """Put the words into the tree of each sentence."""
        names = processor.names_of(job.task)
        return Parse(
            tuple(
                ParsedSentence(
                    written([names[token] for token in row.tokens], [word.text for word in words]),
                    sum(row.log_probabilities),
                )
                for words, row in zip(job.sentences, decoded, strict=True)
            ),
            notes=job.notes,
        )

    def is_right(self, truth: Truth, answer: Parse) -> bool:
        """Return whether all constituents are right."""
        return classes_of(_true(truth)) == [name for s in answer.sentences for name in classes_of(_read(s.tree))]

    def target(self, truth: Truth, ids: Mapping[str, int], tokenizer: Tokenizer) -> list[int]:  # noqa: ARG002
        """Return the class ids of the tree."""
        return [ids.get(name, len(ids)) for name in classes_of(_true(truth))]

    def classes(self, truth: Truth) -> list[str]:
        """Return the classes of the tree."""
        return classes_of(_true(truth))

    def line(self, answer: Parse) -> str:
        """Return the trees, separated by spaces."""
        return " ".join(sentence.tree for sentence in answer.sentences)

    def text(self, answer: Parse) -> str:
        """Return the trees, one per line."""
        return "\n".join(sentence.tree for sentence in answer.sentences)

    def metrics(self, truths: Sequence[Truth], answers: Sequence[Parse]) -> Metrics:
        """Compute F1, precision and recall of the constituents, in percent, by the rules of evalb."""
        given = [_read(answer.sentences[0].tree) for answer in answers]
        return evalb_scores(list(map(_true, truths)), given, [truth.tags for truth in truths])

    def constant(self, train: Sequence[Truth], truths: Sequence[Truth]) -> tuple[str, list[Parse]]:  # noqa: ARG002
        """Return one constituent S around all words."""
        flat = [Tree("S", tuple(_true(truth).words)) for truth in truths]
        return "one S", [Parse((ParsedSentence(str(tree), 0.0),)) for tree in flat]


def _true(truth: Truth) -> Tree:
    return _read(truth.truth)


def _read(text: str) -> Tree:
    (tree,) = read_trees(text)
    return tree
