"""Which treatment of pictures that are not square captions best: squash, crop or pad.

    python benchmarks/treatments.py --coco DATA/coco_mini

Prints a table: BLEU-4 of the same checkpoint and photos for each treatment.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from model.answers import Caption
from model.checkpoint import BUNDLED
from model.peripherals.vision import Treatment
from model.predictor import Predictor
from training.data import Example
from training.data.coco import Coco
from training.evaluate import answer_all
from training.metrics.bleu import best_constant, bleu4


def score(predictor: Predictor, examples: Sequence[Example], treatment: Treatment) -> float:
    """BLEU-4 with the given treatment in place of the checkpoint's."""
    predictor.vision = dataclasses.replace(predictor.vision, treatment=treatment)
    answers = answer_all(predictor, examples)
    return bleu4([a.caption for a in answers if isinstance(a, Caption)], [e.captions for e in examples])


def main() -> None:
    """Measure all three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coco", type=Path, required=True, help="COCO's folder, with its training photos")
    parser.add_argument("--checkpoint", type=Path, default=BUNDLED)
    args = parser.parse_args()
    examples = Coco(args.coco).read("train")
    predictor = Predictor.load(args.checkpoint)
    print(f"\n{len(examples)} photos, {predictor.name} {predictor.version}\n\n| treatment | BLEU-4 |\n|---|---|")
    for treatment in get_args(Treatment):
        print(f"| {treatment} | {score(predictor, examples, treatment):.1f} |")
    _, constant = best_constant((c for e in examples for c in e.captions), [e.captions for e in examples])
    print(f"| best constant caption | {constant:.1f} |")


if __name__ == "__main__":
    main()
