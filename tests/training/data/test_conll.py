"""Named entities in CoNLL columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from omninet.training.data import DATASETS, DataError
from tests.training.conftest import put
from tests.training.data.trees import write_conll2003, write_wnut17


def test_wnut17(tmp_path: Path) -> None:
    write_wnut17(tmp_path)

    first, second = DATASETS["wnut17"](tmp_path).read("train")

    assert first.words == ("@anna", "saw", "New", "York")
    assert first.tags == ("B-person", "O", "B-place", "I-place")
    assert second.words == ("Hi",)


def test_spans_of_conll2003_begin_with_b(tmp_path: Path) -> None:
    write_conll2003(tmp_path)

    first, second = DATASETS["conll2003"](tmp_path).read("dev")

    assert first.words == ("Anna", "Bob", "Lee", ".")
    assert first.tags == ("B-PER", "B-PER", "I-PER", "O")
    assert second.words == ("Hi",)


@pytest.mark.parametrize("line", ["word", "word X-person", "word\tB"])
def test_other_lines_are_named(tmp_path: Path, line: str) -> None:
    put(tmp_path / "wnut17train.conll", f"a\tO\n{line}\n")

    with pytest.raises(DataError, match=r"wnut17train.conll:2 is not 'word ... tag' with a tag O, B-x or I-x"):
        DATASETS["wnut17"](tmp_path).read("train")
