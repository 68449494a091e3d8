"""Pickles of strangers: plain values are read, and nothing is called."""

from __future__ import annotations

import collections
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from omninet.training.data import DataError
from omninet.training.data.pickles import read_pickle
from tests.training.conftest import put
from tests.training.data.trees import message_of

PLAIN = [{"a": 1, "b": [1.5, None, True, ("x", "é")], "c": {1, 2}, "d": 2**70, "e": -3}]


class Hostile:
    """An object whose pickle runs a command when it is read."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values(tmp_path: Path, protocol: int) -> None:
    plain = [{key: value for key, value in PLAIN[0].items() if key != "c" or protocol >= 4}]
    put(tmp_path / "p", pickle.dumps(plain, protocol=protocol))

    assert read_pickle(tmp_path / "p") == plain


def test_byte_strings_of_python_2(tmp_path: Path) -> None:
    put(tmp_path / "p", b"(lp0\nS'caf\\xc3\\xa9'\np1\na(dp2\nS'id'\np3\nI5\nsaF1.5\nag1\na.")

    assert read_pickle(tmp_path / "p") == ["café", {"id": 5}, 1.5, "café"]


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_runs_a_command_is_refused(tmp_path: Path, protocol: int) -> None:
    put(tmp_path / "p", pickle.dumps([Hostile(f"touch {tmp_path / 'owned'}")], protocol=protocol))

    with pytest.raises(DataError, match=r"p is no pickle of plain values: it contains \w+\.system; only"):
        read_pickle(tmp_path / "p")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"(S'true'\nios\nsystem\n.",
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"c__builtin__\ngetattr\n.",
        pickle.dumps(collections.OrderedDict(a=1)),
        pickle.dumps(Path("x")),
        pickle.dumps(len),
        b"\x80\x02\x82\x01.",
        b"Pid\n.",
        b"",
        b"no pickle",
        pickle.dumps(PLAIN)[:-9],
    ],
)
def test_anything_else_is_refused(tmp_path: Path, content: bytes) -> None:
    put(tmp_path / "p", content)

    with pytest.raises(DataError, match="p is no pickle of plain values"):
        read_pickle(tmp_path / "p")


def test_a_hostile_data_set_is_refused(copy: Path) -> None:
    path = copy / "refcoco" / "refs(unc).p"
    put(path, pickle.dumps([Hostile(f"touch {copy / 'owned'}")]))

    assert message_of(copy, "refcoco").startswith(f"{path} is no pickle of plain values: ")
    assert not (copy / "owned").exists()
