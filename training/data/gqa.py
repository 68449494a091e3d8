"""GQA (Hudson, Manning 2019): questions about photos of Visual Genome, made from scene graphs."""

from __future__ import annotations

from collections.abc import Sequence

from omninet.training.data.base import DataSet, Example
from omninet.training.data.json_files import malformed, read_json, text_of

KIND = "file of GQA questions"
NAMES = {"train": "train", "dev": "val", "test": "testdev"}


class Gqa(DataSet):
    """``<split>_balanced_questions.json`` maps ids to questions; not run on the real files.

    The test split is GQA's ``testdev``, whose answers are public.
    """

    task = "gqa"
    source = "https://cs.stanford.edu/people/dorarad/gqa/download.html"
    layout = (
        "train_balanced_questions.json, val_balanced_questions.json (testdev_balanced_questions.json) and images/*.jpg"
    )

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per question, in the order of the file."""
        name = f"{NAMES[split]}_balanced_questions.json"
        path = self.existing(name, f"questions/{name}")
        photos = self.existing("images")
        content = read_json(path, KIND)
        with malformed(path, KIND):
            questions = list(content.items())
        examples = []
        for number, asked in questions:
            with malformed(f"{path}, question {number}", KIND):
                image = text_of(asked["imageId"])
                inputs = {"image": photos / f"{image}.jpg", "question": text_of(asked["question"])}
                answer = text_of(asked["answer"])
                examples.append(Example(self.task, inputs, answer, image_id=image, question_id=str(number)))
        return examples
