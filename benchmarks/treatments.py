"""Which treatment of pictures that are not square captions best: squash, crop or pad.

    python -m benchmarks.treatments --coco DATA/coco_mini

Prints a table: figures of the same checkpoint and photos for each treatment.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from model.checkpoint import BUNDLED
from model.modalities.vision.config import Framing, Treatment, VisionConfig
from model.outputs.text.answer import Caption
from model.outputs.text.bleu import best_constant
from model.outputs.text.captions import score
from model.predictor import Predictor
from training.data import Example
from training.data.coco import Coco
from training.evaluate import answer_all

SHOWN = ("BLEU-1", "BLEU-4", "ROUGE-L", "CIDEr")  # BLEU-4 of so few photos hangs on a handful of matches


def measure(predictor: Predictor, examples: Sequence[Example], treatment: Treatment) -> dict[str, float]:
    """Figures of the captions with the given treatment in place of the checkpoint's."""
    network = predictor.config.network
    found = network.first(VisionConfig)
    assert found is not None
    name, vision = found
    changed = {**network.peripherals, name: dataclasses.replace(vision, image=Framing(treatment))}
    predictor.config = dataclasses.replace(predictor.config, network=dataclasses.replace(network, peripherals=changed))
    answers = answer_all(predictor, examples)
    return score([a.caption for a in answers if isinstance(a, Caption)], [e.captions for e in examples])


def main() -> None:
    """Measure all three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coco", type=Path, required=True, help="COCO's folder, with its training photos")
    parser.add_argument("--checkpoint", type=Path, default=BUNDLED)
    args = parser.parse_args()
    examples = Coco(args.coco).read("train")
    references = [e.captions for e in examples]
    predictor = Predictor.load(args.checkpoint)
    print(f"\n{len(examples)} photos, {predictor.name} {predictor.version}\n")
    print(f"| treatment | {' | '.join(SHOWN)} |\n|{'---|' * (len(SHOWN) + 1)}")
    for treatment in get_args(Treatment):
        _print_row(treatment, measure(predictor, examples, treatment))
    constant, _ = best_constant((c for e in examples for c in e.captions), references)
    _print_row("best constant caption", score([constant] * len(examples), references))


def _print_row(name: str, figures: dict[str, float]) -> None:
    print(f"| {name} | {' | '.join(f'{figures[figure]:.1f}' for figure in SHOWN)} |")


if __name__ == "__main__":
    main()
