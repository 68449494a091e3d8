"""Drawn boxes of shapes with statements, in the layout of NLVR."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from random import Random

from tqdm import tqdm

from omninet.training.data.base import DataError
from omninet.training.data.shape_scenes import Scene
from omninet.training.data.shape_statements import Statement

SOURCE = "drawn"
TIMES = 2  # statements of which each picture is an example, on average: half of them true, half false
LEAST = 20  # pictures; of fewer, many statements are true of all or of none
TRIES = 200  # scenes tried to find one of which a statement is true and one of which it is false


def write_shapes(target: Path, pictures: int, seed: int = 0, without: Collection[str] = ()) -> dict[str, int]:
    """Draw pictures and state things about them, so that every statement is true of one and false of another.

    Args:
        target: folder to write; the data set ``nlvr`` reads it.
        pictures: number of training pictures; a twentieth of it, at least LEAST, are drawn for the dev split.
        without: statements that must not be made, such as those of a test set.

    Returns:
        Number of examples per split: a statement with a picture.

    Raises:
        DataError: there are fewer than LEAST pictures.
    """
    if pictures < LEAST:
        raise DataError(f"statements need at least {LEAST} pictures to be true or false of, not {pictures}")
    never = {plain(statement) for statement in without}
    counts = {}
    for split, number in (("train", pictures), ("dev", max(LEAST, pictures // 20))):
        draw = Random(f"{seed} {split}")
        scenes = [Scene.random(draw) for _ in range(number)]
        folder = target / split / "images"
        folder.mkdir(parents=True, exist_ok=True)
        for i, scene in enumerate(tqdm(scenes, desc=split, disable=None, mininterval=5)):
            scene.picture().save(folder / f"{SOURCE}-{i}-0.png")
        records = [json.dumps(record) for record in _records(scenes, number * TIMES, never, draw)]
        (target / split / f"{split}.json").write_text("".join(f"{line}\n" for line in records), encoding="utf-8")
        counts[split] = len(records)
    return counts


def plain(statement: str) -> str:
    """Return a statement in lower case without marks and double spaces, to compare it with others."""
    return " ".join("".join(c for c in statement.lower() if c.isalnum() or c.isspace()).split())


def _records(scenes: list[Scene], pairs: int, never: Collection[str], draw: Random) -> Iterator[dict[str, str]]:
    """Yield two records of NLVR for each of ``pairs`` statements: of a scene of which it is true, and a false one."""
    found = 0
    while found < pairs:
        statement = Statement.random(draw)
        pair = None if plain(statement.text) in never else _true_and_false(statement, scenes, draw)
        if pair is not None:
            found += 1
            for label, number in zip(("true", "false"), pair, strict=True):
                yield {"sentence": statement.text, "label": label, "identifier": str(number), "source": SOURCE}


def _true_and_false(statement: Statement, scenes: list[Scene], draw: Random) -> tuple[int, int] | None:
    """Return the numbers of a scene of which a statement is true and of one of which it is false; None if rare."""
    seen: dict[bool, int] = {}
    for _ in range(TRIES):
        number = draw.randrange(len(scenes))
        if scenes[number].towers == statement.towers:
            holds = statement.holds(scenes[number])
            if holds is not None:
                seen.setdefault(holds, number)
            if len(seen) == 2:
                return seen[True], seen[False]
    return None
