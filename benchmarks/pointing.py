"""Measure whether explanations point at the thing that a word names: the pointing game (Zhang et al. 2016).

    python -m benchmarks.pointing --data DATA

For each word of a caption that stands in a phrase of the photo's entities (DATA/flickr8k_entities, dev), a hit is a map
whose peak lies in one of the phrase's boxes. The figure is (hits - chance) / (centre - chance), where chance points at
every cell alike and centre at the middle of the photo. With the maps of other photos, hits should be much rarer.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from omninet.model.checkpoint import BUNDLED
from omninet.model.confidence.confidence import words_of
from omninet.model.explain.explanation import Explanation
from omninet.model.outputs.boxes.metrics import Box
from omninet.model.outputs.text.answer import Caption
from omninet.model.predictor import Predictor
from omninet.training.data import Example
from omninet.training.data.flickr8k_entities import Flickr8kEntities

# Words of phrases that name no thing.
OTHERS = {
    *("a", "an", "the", "his", "her", "their", "its", "it", "two", "three", "some", "other", "is", "are", "and", "as"),
    *("of", "in", "on", "at", "with", "to", "for", "by", "from"),
}
DRAWS = 20  # of the maps of other photos


@dataclass(frozen=True)
class Word:
    """A word of a caption, with the boxes of what it names and its maps.

    Attributes:
        boxes: x1, y1, x2, y2 as fractions of the photo.
        maps: method -> (rows, columns).
    """

    photo: str
    text: str
    boxes: tuple[Box, ...]
    maps: Mapping[str, np.ndarray]

    def holds(self, x: float, y: float) -> bool:
        """Return whether a point of the photo lies in one of the boxes."""
        return any(x1 <= x <= x2 and y1 <= y <= y2 for x1, y1, x2, y2 in self.boxes)

    def hits(self, grid: np.ndarray) -> bool:
        """Return whether the peak of a map lies in one of the boxes."""
        row, column = np.unravel_index(int(grid.argmax()), grid.shape)
        return self.holds((column + 0.5) / grid.shape[1], (row + 0.5) / grid.shape[0])


@dataclass(frozen=True)
class Score:
    """Results of one method, in percent; ``figure`` is not in percent."""

    hits: float
    figure: float
    others: float
    corners: float


def words(predictor: Predictor, entities: Mapping[Path, Sequence[Example]]) -> Iterator[Word]:
    """Yield the words of the captions of photos that name an entity.

    Args:
        entities: photo -> its phrases with their boxes.
    """
    for photo, examples in tqdm(entities.items(), unit="photo"):
        answer = predictor.predict("caption", image=photo, explain="layers")
        assert isinstance(answer, Caption)
        assert answer.explanation is not None
        for text, tokens in _words(answer):
            boxes = tuple(box for e in examples if text in words_of(e.inputs["phrase"]) for box in e.truth)
            if boxes and text not in OTHERS:
                yield Word(photo.name, text, boxes, _maps(answer.explanation, tokens))


def _words(answer: Caption) -> Iterator[tuple[str, list[int]]]:
    """Yield each word of a caption in lower case, with the numbers of its subwords."""
    found: list[tuple[str, list[int]]] = []
    for i, piece in enumerate(answer.tokens):
        if piece.text.startswith(" ") or not found:
            found.append(("", []))
        found[-1] = (found[-1][0] + piece.text.strip().lower(), [*found[-1][1], i])
    yield from found


def _maps(explanation: Explanation, tokens: Sequence[int]) -> dict[str, np.ndarray]:
    assert explanation.attention.spatial is not None
    attention = explanation.attention.spatial.mean((0, 1)).reshape(-1, *explanation.grid)
    return {"attention": attention[tokens].mean(0), "occlusion": explanation.cells()[tokens, 0].mean(0)}


def score(found: Sequence[Word], method: str, seed: int = 0) -> Score:
    """Compute the pointing game of one method."""
    maps = [word.maps[method] for word in found]
    hits = np.mean([word.hits(grid) for word, grid in zip(found, maps, strict=True)])
    low, high = chance(found), np.mean([word.holds(0.5, 0.5) for word in found])
    generator = np.random.default_rng(seed)
    others = [
        found[i].hits(maps[j])
        for _ in range(DRAWS)
        for i, j in enumerate(generator.permutation(len(found)))
        if found[i].photo != found[j].photo
    ]
    corners = np.mean([_is_corner(grid) for grid in maps])
    figure = (hits - low) / (high - low)
    return Score(100 * float(hits), float(figure), 100 * float(np.mean(others)), 100 * float(corners))


def chance(found: Sequence[Word]) -> float:
    """Return the share of hits of maps whose peak is any cell with equal probability."""
    rows, columns = next(iter(found[0].maps.values())).shape
    points = [((x + 0.5) / columns, (y + 0.5) / rows) for y in range(rows) for x in range(columns)]
    return float(np.mean([word.holds(*point) for word in found for point in points]))


def _is_corner(grid: np.ndarray) -> bool:
    row, column = np.unravel_index(int(grid.argmax()), grid.shape)
    return bool(row in (0, grid.shape[0] - 1) and column in (0, grid.shape[1] - 1))


def main() -> None:
    """Play the game with attention and with the maps of explanations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with flickr8k and flickr8k_entities")
    parser.add_argument("--checkpoint", type=Path, default=BUNDLED)
    args = parser.parse_args()
    entities: dict[Path, list[Example]] = defaultdict(list)
    for example in Flickr8kEntities(args.data / "flickr8k_entities").read("dev"):
        if example.image and example.truth:
            entities[example.image].append(example)
    found = list(words(Predictor.load(args.checkpoint), entities))
    rows, columns = found[0].maps["attention"].shape
    centre = np.mean([word.holds(0.5, 0.5) for word in found])
    print(f"\n{len(found)} words of {len({word.photo for word in found})} photos")
    print(f"chance {100 * chance(found):.1f}%, centre {100 * centre:.1f}%, corners {400 / rows / columns:.1f}%\n")
    print("| map | hits | figure | hits of another photo's map | peak in a corner |\n|---|---|---|---|---|")
    for method in found[0].maps:
        s = score(found, method)
        print(f"| {method} | {s.hits:.1f}% | {s.figure:.2f} | {s.others:.1f}% | {s.corners:.1f}% |")


if __name__ == "__main__":
    main()
