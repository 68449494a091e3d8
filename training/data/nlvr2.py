"""NLVR2 (Suhr et al. 2019): whether a sentence is true of a pair of photos."""

from __future__ import annotations

from collections.abc import Sequence

from omninet.model.outputs.label.answer import Label
from omninet.model.outputs.label.metrics import consistency
from omninet.training.data.base import DataSet, Example
from omninet.training.data.json_files import json_lines, malformed, one_of, text_of

KIND = "NLVR2 record"
LABELS = ("true", "false")
NAMES = {"train": "train", "dev": "dev", "test": "test1"}


class Nlvr2(DataSet):
    """``train.json``, ``dev.json`` and ``test1.json`` hold a statement per line; not run on the real files.

    The photos of the identifier ``<split>-<set>-<pair>-<sentence>`` are ``<split>-<set>-<pair>-img0.png`` (left) and
    ``-img1.png`` (right), in ``images/train/<directory>/``, ``dev/`` and ``test1/``.
    """

    task = "pair_truth"
    source = "https://github.com/lil-lab/nlvr/tree/master/nlvr2"
    layout = "train.json, dev.json (test1.json), images/train/<directory>/*.png, dev/*.png (test1/*.png)"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per statement and pair, in the order of the file; ``question_id`` is the identifier."""
        name = NAMES[split]
        path = self.existing(f"{name}.json", f"data/{name}.json")
        photos = self.existing(f"images/{name}", name)
        examples = []
        for where, record in json_lines(path, KIND):
            with malformed(where, KIND):
                identifier, statement = text_of(record["identifier"]), text_of(record["sentence"])
                folder, pair = photos / str(record.get("directory", "")), identifier.rpartition("-")[0]
                left, right = (folder / f"{pair}-img{i}.png" for i in (0, 1))
                label = one_of(str(record["label"]).lower(), LABELS)
            inputs = {"left": left, "right": right, "statement": statement}
            examples.append(Example(self.task, inputs, label, question_id=identifier))
        return examples

    def metrics(self, examples: Sequence[Example], answers: Sequence[Label]) -> dict[str, float]:
        """Compute the consistency: the share of sentences that are judged rightly of all their pairs of photos."""
        parts = [example.question_id.split("-") for example in examples]
        sentences = ["-".join([*part[:2], *part[3:]]) for part in parts]
        right = [example.answer == answer.label for example, answer in zip(examples, answers, strict=True)]
        return {"consistency": consistency(sentences, right)}
