"""Clips in a folder per class, with a list for each split."""

from __future__ import annotations

from collections.abc import Sequence

from omninet.model.outputs.label.answer import Label
from omninet.model.outputs.label.metrics import accuracy
from omninet.training.data.base import DataError, DataSet, Example, read_text

FAMILY_FIGURE = "tennis strokes among themselves"


class Activities(DataSet):
    """``<split>.txt`` lists ``<class>/<name>`` of clips in ``clips/``."""

    task = "activity"
    source = "your own clips"
    layout = "clips/<class>/<name>.mp4, train.txt and dev.txt"
    family = "tennis "

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per clip; its class is the folder's name with spaces for underscores."""
        path = self.existing(f"{split}.txt")
        clips = self.existing("clips")
        examples = []
        for number, line in enumerate(read_text(path).splitlines(), 1):
            if not line.strip():
                continue
            name, slash, _ = line.strip().partition("/")
            if not slash:
                raise DataError(f"{path}:{number} is not '<class>/<name>': {line!r}")
            examples.append(Example(self.task, {"video": clips / line.strip()}, name.replace("_", " ")))
        return examples

    def metrics(self, examples: Sequence[Example], answers: Sequence[Label]) -> dict[str, float]:
        """Compute the accuracy on one family of classes when only the classes of the family are considered.

        The prediction is the most likely candidate in the family; without one, it counts as wrong.
        """
        members = [(e, answer) for e, answer in zip(examples, answers, strict=True) if e.answer.startswith(self.family)]
        wanted = [e.answer for e, _ in members]
        if len(set(wanted)) < 2:
            return {}
        among = [next((c.label for c in a.candidates if c.label.startswith(self.family)), "") for _, a in members]
        return {FAMILY_FIGURE: accuracy(wanted, among)}
