"""Compare the treatments of pictures that are not square by the quality of captions: squash, crop or pad.

    python -m benchmarks.treatments --coco DATA/coco_mini

Prints a table with the metrics of one checkpoint on the same photos for each treatment.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from omninet.model.checkpoint import BUNDLED, Checkpoint, load
from omninet.model.modalities.vision.config import Framing, Treatment, VisionConfig
from omninet.model.outputs import Metrics
from omninet.model.outputs.text.bleu import best_constant
from omninet.model.outputs.text.captions import score
from omninet.model.predictor import Predictor
from omninet.training.data import Example
from omninet.training.data.coco import Coco
from omninet.training.evaluate import answer_all

SHOWN = ("BLEU-1", "BLEU-4", "ROUGE-L", "CIDEr")  # with so few photos, BLEU-4 depends on a handful of matches


def measure(checkpoint: Checkpoint, examples: Sequence[Example], treatment: Treatment) -> Metrics:
    """Return the metrics of captions with a treatment that replaces the checkpoint's."""
    network = checkpoint.config.network
    name, vision = next(iter(network.every(VisionConfig).items()))
    changed = {**network.peripherals, name: replace(vision, image=Framing(treatment))}
    config = replace(checkpoint.config, network=replace(network, peripherals=changed))
    predictor = Predictor(replace(checkpoint, config=config))
    return predictor.output(examples[0].task).metrics(examples, answer_all(predictor, examples))


def main() -> None:
    """Evaluate all treatments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coco", type=Path, required=True, help="COCO's folder, with its training photos")
    parser.add_argument("--checkpoint", type=Path, default=BUNDLED)
    args = parser.parse_args()
    examples = Coco(args.coco).read("train")
    references = [e.captions for e in examples]
    checkpoint = load(args.checkpoint)
    print(f"\n{len(examples)} photos, {checkpoint.config.name} {checkpoint.config.version}\n")
    print(f"| treatment | {' | '.join(SHOWN)} |\n|{'---|' * (len(SHOWN) + 1)}")
    for treatment in get_args(Treatment):
        _print_row(treatment, measure(checkpoint, examples, treatment))
    constant, _ = best_constant((c for e in examples for c in e.captions), references)
    _print_row("best constant caption", score([constant] * len(examples), references))


def _print_row(name: str, figures: dict[str, float]) -> None:
    print(f"| {name} | {' | '.join(f'{figures[figure]:.1f}' for figure in SHOWN)} |")


if __name__ == "__main__":
    main()
