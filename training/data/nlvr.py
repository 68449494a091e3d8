"""NLVR (Suhr et al. 2017): whether a sentence is true of a drawn picture of three boxes with shapes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from omninet.model.outputs.label.answer import Label
from omninet.model.outputs.label.metrics import consistency
from omninet.training.data.base import DataSet, Example
from omninet.training.data.json_files import json_lines, malformed, one_of, text_of

KIND = "NLVR record"
LABELS = ("true", "false")


class Nlvr(DataSet):
    """``<split>/<split>.json`` holds a statement per line: ``identifier``, ``sentence``, ``label``.

    The pictures of a statement are ``<split>/images/**/<source>-<identifier>-<layout>.png``: the three boxes in
    several orders. ``source`` is a field of the line, by default the split.
    """

    task = "truth"
    source = "https://github.com/lil-lab/nlvr"
    layout = "train/train.json, train/images/**/*.png, dev/dev.json and dev/images/**/*.png"
    drawn = True

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per statement and layout, in the order of the file; ``question_id`` is the statement's."""
        path = self.existing(f"{split}/{split}.json")
        layouts = _layouts(self.existing(f"{split}/images"))
        examples = []
        for where, record in json_lines(path, KIND):
            with malformed(where, KIND):
                name = f"{record.get('source', split)}-{text_of(record['identifier'])}"
                statement, label = text_of(record["sentence"]), one_of(record["label"], LABELS)
                if not layouts[name]:
                    raise ValueError(f"no picture {name}-<layout>.png")
            for picture in layouts[name]:
                inputs = {"image": picture, "statement": statement}
                examples.append(Example(self.task, inputs, label, question_id=name))
        return examples

    def metrics(self, examples: Sequence[Example], answers: Sequence[Label]) -> dict[str, float]:
        """Compute the consistency: the share of sentences that are judged rightly of all their pictures."""
        # Identifiers are <source>-<sentence>-<picture>.
        sentences = [example.question_id.rpartition("-")[0] for example in examples]
        right = [example.answer == answer.label for example, answer in zip(examples, answers, strict=True)]
        return {"consistency": consistency(sentences, right)}


def _layouts(folder: Path) -> Mapping[str, Sequence[Path]]:
    """Return file name without layout -> pictures."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*.png")):
        found[path.stem.rpartition("-")[0]].append(path)
    return found
