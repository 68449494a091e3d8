"""How well pictures are found by what is written in them.

    python -m benchmarks.contains --data DATA [--checkpoint runs/mine/checkpoint]

An index reads the dev photos of ICDAR 2015; every word that can be read in one of them is looked for with ``contains``.
The mean average precision is that of the order of the hits, in which a photo is right if the word is written in it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from omninet.app.search.conditions import IndexQuery
from omninet.app.search.embedded import EmbeddedIndex
from omninet.app.search.pictures import PictureReader, picture_of
from omninet.model.outputs.scene.scores import spotting_scores
from omninet.model.outputs.scene.truth import WrittenWord
from omninet.model.outputs.word.scores import plain
from omninet.model.predictor import Predictor
from omninet.training.data import DATASETS
from omninet.training.evaluate.answering import answer_all

HITS = 1000


def average_precision(found: Sequence[str], wanted: set[str]) -> float:
    """Return the mean, over the wanted photos, of the precision at the rank of each; 0 for one that is not found."""
    hits, total = 0, 0.0
    for rank, name in enumerate(found, 1):
        if name in wanted:
            hits += 1
            total += hits / rank
    return total / len(wanted)


def written_in(truths: Mapping[str, Sequence[WrittenWord]]) -> dict[str, set[str]]:
    """Return each word in plain form -> the photos in which it can be read."""
    found: dict[str, set[str]] = {}
    for name, words in truths.items():
        for word in words:
            if word.text is not None and (form := plain(word.text)):
                found.setdefault(form, set()).add(name)
    return found


def main() -> None:
    """Run the benchmark and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path)
    args = parser.parse_args()
    predictor = Predictor.load(args.checkpoint, device="cpu")
    examples = DATASETS["icdar2015_scenes"](args.data / "scene_text").read("dev")
    truths = {str(example.inputs["image"]): example.truth for example in examples}
    reader = PictureReader(predictor)
    with tempfile.TemporaryDirectory() as folder:
        index = EmbeddedIndex(Path(folder) / "index")
        index.add(reader.read([picture_of(Path(p).read_bytes(), p, reads=True) for p in truths]), reader.identity)
        queries = written_in(truths)
        precisions = [
            average_precision([hit.entry.source for hit in index.search(IndexQuery(HITS, contains=word))], wanted)
            for word, wanted in queries.items()
        ]
        index.close()
    started = time.perf_counter()
    answers = answer_all(predictor, examples, bar=False)
    seconds = time.perf_counter() - started
    spotted = spotting_scores(list(truths.values()), [getattr(answer, "words", ()) for answer in answers])
    print("| words looked for | photos | mAP | H-mean of spotting | ms of a photo |")
    print("|---|---|---|---|---|")
    cells = (f"{fmean(precisions):.3f}", f"{spotted['H-mean']:.1f}%", f"{1e3 * seconds / len(examples):.0f}")
    print(f"| {len(queries)} | {len(examples)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
