"""Captions and answers that name the main object of photos."""

from __future__ import annotations

from pathlib import Path

import pytest

from omninet.model.predictor import Predictor
from omninet.training.data import DataError
from omninet.training.data.exclusion import Exclusion
from omninet.training.evaluate.things import (
    LIST,
    QUESTION,
    Thing,
    begins_alike,
    count,
    name_things,
    names,
    naming_section,
    read_things,
)
from tests.training.conftest import photo, put

PIZZA, CAR, BUS = (Thing(f"{word}.jpg", word, (word,)) for word in ("pizza", "car", "bus"))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("A slice of pizza on a plate", True),
        ("two PIZZAS", True),
        ("pizzeria", False),
        ("a pie", True),
        ("", False),
    ],
)
def test_a_word_is_found_whole_and_in_the_plural(text: str, named: bool) -> None:
    assert names(text, ("pizza", "pie")) is named


def test_captions_that_name_their_thing_are_counted() -> None:
    found = count([PIZZA, CAR, BUS], ["a pizza", "two buses", "the bus is red"], ["pizza", "car", "dog"])

    assert (found.photos, found.kinds) == (3, 3)
    assert [found.captions, found.answers] == pytest.approx([200 / 3, 200 / 3])
    assert found.said[1] == ("car.jpg", "car", "two buses", "car")


def test_a_caption_that_lists_things_does_not_count() -> None:
    two, three = "a car and a bus", "a pizza in a car and a bus"

    assert count([CAR, BUS, PIZZA], [two, three, "the sky"], ["", "", ""]).captions == pytest.approx(100 / 3)


def test_captions_that_begin_alike_do_not_count() -> None:
    captions = ["This is a pizza", "This is a car", "A bus"]
    assert begins_alike(captions)

    found = count([PIZZA, CAR, BUS], captions, ["", "", ""])

    assert (found.captions, found.alike) == (0, True)
    assert "none counts" in naming_section(found)
    assert not begins_alike(["This is a pizza", "This is my car", "A bus"])


def test_photos_are_shown_to_the_network(predictor: Predictor, tmp_path: Path) -> None:
    put(tmp_path / "a" / "red.jpg", photo("red"))
    put(tmp_path / "things.tsv", "# photo\thash\tkind\twords\na/red.jpg\t0123456789abcdef\tred thing\tred rose\n")

    found = name_things(predictor, tmp_path)

    caption = predictor.predict("caption", image=tmp_path / "a" / "red.jpg").caption  # type: ignore[attr-defined]
    answer = predictor.predict("vqa", image=tmp_path / "a" / "red.jpg", question=QUESTION).label  # type: ignore[attr-defined]
    assert found.said == (("a/red.jpg", "red thing", caption, answer),)
    section = naming_section(found)
    assert section.startswith("Of 1 photos of 1 everyday kinds")
    assert section.count("a/red.jpg") == 1


def test_missing_photos_are_named(predictor: Predictor, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"lacks (\d+) of \1 photos, such as "):
        name_things(predictor, tmp_path)


def test_a_broken_list_is_named(tmp_path: Path) -> None:
    put(tmp_path / "things.tsv", "a.jpg\tred\n")

    with pytest.raises(DataError, match=r"things\.tsv: every line must be photo, hash, kind and words"):
        read_things(tmp_path)


def test_the_list_that_comes_with_the_program(tmp_path: Path) -> None:
    things = read_things(tmp_path)

    kinds = {thing.kind for thing in things}
    assert len(things) >= 300
    assert len(kinds) >= 60
    assert len({thing.photo for thing in things}) == len(things)
    assert len({thing.photo.split("/")[0] for thing in things}) == 2
    assert sum(thing.kind in {"dog", "person"} for thing in things) <= len(things) / 10
    assert all(thing.words for thing in things)
    # It also keeps a distillation from training on these photos and their copies.
    assert len(Exclusion.read(LIST).hashes) == len(things)
