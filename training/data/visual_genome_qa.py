"""Visual Genome (Krishna et al. 2017): questions about photos with free answers."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from omninet.training.data.base import DataSet, Example
from omninet.training.data.json_files import malformed, read_json, text_of
from omninet.training.data.photo_folders import VISUAL_GENOME, VISUAL_GENOME_2

KIND = "file of Visual Genome questions"
HELD_BACK = 20  # one photo in 20 is a dev photo


class VisualGenomeQa(DataSet):
    """``question_answers.json`` lists photos with questions; not run on the real files.

    No split is published: one photo in 20, chosen by the checksum of its id, is dev. Answers become lower case and
    lose their full stop, as those of VQA v2 are written.
    """

    task = "genome_qa"
    source = "https://homes.cs.washington.edu/~ranjay/visualgenome/api.html"
    layout = "question_answers.json, VG_100K/*.jpg and VG_100K_2/*.jpg, or the photos in ../visual_genome"
    splits = ("train", "dev")

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per question, photo by photo."""
        path = self.existing("question_answers.json")
        photos, more = self.existing(*VISUAL_GENOME), self.existing(*VISUAL_GENOME_2)
        second = {photo.name for photo in more.iterdir()}
        content = read_json(path, KIND)
        examples = []
        for number, entry in enumerate(content if isinstance(content, list) else [content]):
            with malformed(f"{path}, photo {number}", KIND):
                image = str(entry["id"])
                if (zlib.crc32(image.encode()) % HELD_BACK == 0) != (split == "dev"):
                    continue
                name = f"{image}.jpg"
                photo = (more if name in second else photos) / name
                for asked in entry["qas"]:
                    inputs = {"image": photo, "question": text_of(asked["question"])}
                    answer = text_of(asked["answer"]).lower().removesuffix(".")
                    examples.append(Example(self.task, inputs, answer, question_id=str(asked["qa_id"])))
        return examples
