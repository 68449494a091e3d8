"""Fifty pictures of the data sets rendered_text and rendered_scenes, as one picture.

python -m benchmarks.drawn --data DATA --out drawn.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw

from omninet.model.outputs.scene.truth import WrittenWord
from omninet.training.data import DATASETS, Drawing

WORDS, SCENES = 44, 6
CELL, SCENE = (160, 48), (512, 384)
COLUMNS = 11, 3  # of words and of scenes
WIDTH = 3 * SCENE[0] // 2


def main() -> None:
    """Draw the pictures; those of the training parts, which differ each time, with fixed seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    words = [
        example.inputs["image"] for example in DATASETS["rendered_text"](args.data / "rendered_text").read("train")
    ]
    scene = DATASETS["rendered_scenes"](args.data / "rendered_text").read("train")[0].inputs["image"]
    size = WIDTH // COLUMNS[0], CELL[1] * WIDTH // COLUMNS[0] // CELL[0]
    half = SCENE[0] // 2, SCENE[1] // 2
    below = -(-WORDS // COLUMNS[0]) * size[1]
    sheet = Image.new("RGB", (WIDTH, below + SCENES // COLUMNS[1] * half[1]), "white")
    for i in range(WORDS):
        image, _ = drawn(words[i], i)
        image.thumbnail((size[0] - 4, size[1] - 4))
        sheet.paste(image, (i % COLUMNS[0] * size[0] + 2, i // COLUMNS[0] * size[1] + 2))
    for i in range(SCENES):
        image, truth = drawn(scene, i)
        pen = ImageDraw.Draw(image)
        for word in truth:
            pen.polygon(word.corners, outline="red")
        sheet.paste(image.resize(half), (i % COLUMNS[1] * half[0], below + i // COLUMNS[1] * half[1]))
    sheet.save(args.out, quality=80)


def drawn(drawing: Drawing, seed: int) -> tuple[Image.Image, tuple[WrittenWord, ...]]:
    """Return a picture and the words of a scene, none of a word."""
    example = drawing.example(Random(seed))
    return Image.fromarray(example.inputs["image"]), example.truth or ()


if __name__ == "__main__":
    main()
