"""Nouns of captions, found by a checkpoint's own tags or those of the bundled checkpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from omninet.model.checkpoint import BUNDLED, load
from omninet.model.confidence.confidence import words_of
from omninet.model.predictor import Predictor
from omninet.training.evaluate.answering import BATCH

NOUNS = {"NN", "NNS"}  # common nouns in the Penn Treebank's tags


class Tagger:
    """Finds the common nouns of texts with a task that assigns Penn Treebank tags.

    Args:
        predictor: its tagging task is used; without one, that of the bundled checkpoint.
    """

    def __init__(self, predictor: Predictor) -> None:
        task = _tagging_task(predictor)
        if task is None:
            predictor = Predictor(load(BUNDLED, ["pos"]), device="cpu", precision="float32")
        self._predictor, self._task = predictor, task or "pos"

    def nouns(self, texts: Sequence[str]) -> list[set[str]]:
        """Return the nouns of each text, in lower case; a word that is tagged differently elsewhere counts here."""
        found: list[set[str]] = []
        for start in range(0, len(texts), BATCH):
            jobs = [self._predictor.prepare(self._task, text=text or ".") for text in texts[start : start + BATCH]]
            decoded = iter(self._predictor.run([row for job in jobs for row in job.rows]))
            for job in jobs:
                answer = self._predictor.finish(job, [next(decoded) for _ in job.rows])
                tags = self._predictor.output(self._task).line(answer).split()
                words = (word.text.lower() for sentence in job.sentences for word in sentence)
                found.append({word for word, tag in zip(words, tags, strict=True) if tag in NOUNS})
        return found


def _tagging_task(predictor: Predictor) -> str | None:
    return next((task for task in predictor.tasks if set(predictor.names_of(task)) >= NOUNS), None)


def usual_nouns(texts: Sequence[str], nouns: Sequence[set[str]], least: int, share: float) -> tuple[str, ...]:
    """Return the words that are nouns in at least ``least`` texts and in a ``share`` of their texts, commonest first.

    Args:
        nouns: nouns of each text.
    """
    everywhere = Counter(word for text in texts for word in set(words_of(text)))
    counts = Counter(word for words in nouns for word in sorted(words))
    return tuple(word for word, n in counts.most_common() if n >= max(least, share * everywhere[word]))
