"""Small made-up data sets of phrases with boxes, in the layouts of the real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.training.conftest import SPLITS, put
from tests.training.data.pair_trees import lines_of, write_photos

ASPECTS = ("exact", "close", "rough", "exact")


def write_flickr8k_entities(folder: Path) -> None:
    """An entity a photo, with one box more than the photo before; one of train is rough."""
    for split, count in SPLITS.items():
        names = [f"{split}{i}.jpg" for i in range(count)]
        write_photos(folder / "Flicker8k_Dataset", names)
        records = [
            {
                "image": name,
                "phrase": f"thing {i}",
                "boxes": [[0.1 * n, 0, 0.1 * n + 0.2, 1] for n in range(i + 1)],
                "size": [500, 375],
                "aspect": ASPECTS[i],
            }
            for i, name in enumerate(names)
        ]
        put(folder / f"{split}.jsonl", lines_of(records))


BOX_WRITERS: dict[str, Callable[[Path], None]] = {"flickr8k_entities": write_flickr8k_entities}
