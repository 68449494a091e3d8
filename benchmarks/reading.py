"""What is read in pictures, how quickly, and how well pictures are found by it.

    python -m benchmarks.reading --data DATA [--checkpoint runs/mine/checkpoint]

Evenly spaced dev words and scenes are shown with what was read. Words are answered 16 in a batch. An index reads the
dev photos of ICDAR 2015; every word that can be read in one of them is looked for with ``contains``. The mean average
precision is that of the order of the hits, in which a photo is right if the word is written in it.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from omninet.app.search.conditions import IndexQuery
from omninet.app.search.embedded import EmbeddedIndex
from omninet.app.search.pictures import PictureReader, picture_of
from omninet.model.outputs.scene.scores import spotting_scores
from omninet.model.outputs.scene.truth import WrittenWord
from omninet.model.outputs.word.scores import plain
from omninet.model.predictor import Predictor
from omninet.training.data import DATASETS, Example
from omninet.training.evaluate.answering import answer_all

HITS = 1000
SHOWN = 5  # words of a data set, and scenes
LARGE = 1152, 1536, 3  # height, width and channels of a large picture


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


def character_search(predictor: Predictor, truths: Mapping[str, Sequence[WrittenWord]]) -> tuple[int, float]:
    """Return the number of words that can be read in the photos, and the mean average precision of looking for each."""
    reader = PictureReader(predictor)
    with tempfile.TemporaryDirectory() as folder:
        index = EmbeddedIndex(Path(folder) / "index")
        index.add(reader.read([picture_of(Path(p).read_bytes(), p, reads=True) for p in truths]), reader.identity)
        precisions = [
            average_precision([hit.entry.source for hit in index.search(IndexQuery(HITS, contains=word))], wanted)
            for word, wanted in written_in(truths).items()
        ]
        index.close()
    return len(precisions), fmean(precisions)


def answered(predictor: Predictor, examples: Sequence[Example]) -> tuple[list[Any], float]:
    """Return the answers to examples, and how many are answered a second."""
    started = time.perf_counter()
    answers: list[Any] = list(answer_all(predictor, examples, bar=False))
    return answers, len(examples) / (time.perf_counter() - started)


def print_words(title: str, examples: Sequence[Example], answers: Sequence[Any]) -> None:
    """Print evenly spaced words with what was read."""
    for i in range(0, SHOWN * (len(examples) // SHOWN), len(examples) // SHOWN):
        best = answers[i].best
        print(f"| {title} | `{examples[i].answer}` | `{best.text}` | {math.exp(best.log_probability):.0%} |")


def print_scenes(examples: Sequence[Example], answers: Sequence[Any]) -> None:
    """Print evenly spaced scenes with what was read."""
    for example, answer in list(zip(examples, answers, strict=True))[:: len(examples) // SHOWN]:
        truth = ", ".join(f"`{word.text}`" for word in example.truth if word.text)
        read = ", ".join(f"`{word.text}` {word.probability:.0%}" for word in answer.words)
        print(f"| {example.inputs['image'].name} | {truth} | {read or '(nothing)'} |")


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path)
    args = parser.parse_args()
    predictor = Predictor.load(args.checkpoint, device="cpu")
    scenes = DATASETS["icdar2015_scenes"](args.data / "scene_text").read("dev")
    predictor.predict("read_scene", image=scenes[0].inputs["image"])
    print("| data set | written | read | probability |\n|---|---|---|---|")
    speeds = []
    for name, title in (("iiit5k_words", "IIIT 5K"), ("icdar2015_words", "ICDAR 2015")):
        words = DATASETS[name](args.data / "scene_words").read("dev")
        answers, speed = answered(predictor, words)
        print_words(title, words, answers)
        speeds.append(f"{speed:.0f}")
    print("\n| photo | written, where it can be read | read, with probabilities |\n|---|---|---|")
    answers, speed = answered(predictor, scenes)
    print_scenes(scenes, answers)
    large = np.random.default_rng(0).integers(0, 255, LARGE, np.uint8)
    _, slow = answered(predictor, [Example("read_scene", {"image": large}, truth=())])
    truths = {str(example.inputs["image"]): example.truth for example in scenes}
    spotted = spotting_scores(list(truths.values()), [answer.words for answer in answers])
    count, precision = character_search(predictor, truths)
    print("\n| words a second | ms of a scene | of 1,536 x 1,152 pixels | H-mean | words sought | mAP |")
    print("|---|---|---|---|---|---|")
    times = f"{'; '.join(speeds)} | {1e3 / speed:.0f} | {1e3 / slow:.0f}"
    print(f"| {times} | {spotted['H-mean']:.1f} | {count} | {precision:.3f} |")


if __name__ == "__main__":
    main()
