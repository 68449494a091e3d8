"""What a picture adds to the translation of captions with masked nouns.

    python -m benchmarks.seen runs/seen/checkpoint --data DATA

The checkpoint is one of ``training/configs/seen.yaml``, a network that translates with the photo and without. It is
measured on the captions that were held back, with their photos, with those of other captions, and without any.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sacrebleu.metrics.bleu import BLEU

from omninet.model.outputs.translation.answer import Translation
from omninet.model.predictor import Predictor
from omninet.training.data import DATASETS, Example
from omninet.training.evaluate.answering import answer_all
from omninet.training.evaluate.other_photo import swap_media

SAMPLES = 1000  # bootstrap samples of the captions


def translations(predictor: Predictor, examples: Sequence[Example]) -> list[str]:
    """Return the translation of each caption."""
    answers = answer_all(predictor, examples)
    return [answer.best[0].translation for answer in answers if isinstance(answer, Translation)]


def bleu(given: Sequence[str], wanted: Sequence[str]) -> float:
    """Return BLEU in percent, by sacrebleu."""
    return float(BLEU().corpus_score(list(given), [list(wanted)]).score)


def interval(one: Sequence[str], other: Sequence[str], wanted: Sequence[str]) -> tuple[float, float]:
    """Return the range of 95% of the bootstrap samples of the difference in BLEU (Koehn 2004)."""
    draw, found = np.random.default_rng(0), []
    for _ in range(SAMPLES):
        rows = draw.integers(0, len(wanted), len(wanted)).tolist()
        scores = [bleu([each[i] for i in rows], [wanted[i] for i in rows]) for each in (one, other)]
        found.append(scores[0] - scores[1])
    low, high = np.percentile(found, (2.5, 97.5)).tolist()
    return low, high


def main() -> None:
    """Run the benchmark and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()
    predictor = Predictor.load(args.checkpoint, device="cpu")
    names = ("multi30k_masked", "multi30k_masked_seen")
    blind, seen = (DATASETS[name](args.data / "multi30k").read("dev") for name in names)
    wanted = [example.answer for example in seen]
    alone = translations(predictor, blind)
    print("| the network sees | BLEU | less without a photo: 95% of bootstrap samples |")
    print("|---|---|---|")
    print(f"| the text alone | {bleu(alone, wanted):.1f} | |")
    for title, examples in (("its photo", seen), ("another photo", swap_media(seen))):
        given = translations(predictor, examples)
        low, high = interval(given, alone, wanted)
        print(f"| the text and {title} | {bleu(given, wanted):.1f} | {low:+.1f} to {high:+.1f} |", flush=True)


if __name__ == "__main__":
    main()
