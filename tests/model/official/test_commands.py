"""The commands, up to the conversion itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from omninet.command import main
from omninet.model.official import importing
from omninet.model.official.importing import Source
from omninet.model.official.names import Converted
from tests.model.official.test_fetch import CONF, WEIGHTS, Store, store

__all__ = ["store"]


@pytest.fixture
def converted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was to be converted."""
    asked: list[tuple[Any, ...]] = []

    def note(*arguments: Any) -> Converted:
        asked.append(arguments)
        return Converted({}, {"a": "no task uses it", "b": "no task uses it"})

    monkeypatch.setattr(importing, "import_official", note)
    return asked


def test_fetch_converts_what_it_downloads(
    store: Store, tmp_path: Path, converted: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    store.files["/280k_caption.zip"] = store.files["/all_15k.zip"]
    subwords, out = tmp_path / "subwords.model", tmp_path / "official"
    options = ["--from", store.address, "--tokenizer", str(subwords), "--channels", "rgb", "--name", "theirs"]

    assert main(["fetch-official", "caption_280k", "--out", str(out), *options]) == 0

    downloads = tmp_path / "official-downloads"
    weights = downloads / "280k_caption" / "model.pth"
    assert converted == [(Source(weights, downloads / "conf", subwords, "rgb", ("caption",)), out, "theirs")]
    assert weights.read_bytes() == WEIGHTS
    assert {path.name for path in (downloads / "conf").iterdir()} == set(CONF)
    assert "     2 no task uses it\n" in capsys.readouterr().out


def test_a_failed_fetch_is_an_error_of_one_line(
    store: Store, tmp_path: Path, converted: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--from", store.address, "--tokenizer", "x", "--out", str(tmp_path / "out")]

    assert main(["fetch-official", "penn_70k", *arguments]) == 2

    assert capsys.readouterr().err == f"omninet: {store.address}/70k_penn.zip: 404 Not Found\n"
    assert converted == []


def test_import_takes_the_given_tasks(tmp_path: Path, converted: list[tuple[Any, ...]]) -> None:
    arguments = ["--vocab", "conf", "--tokenizer", "subwords", "--out", str(tmp_path), "--tasks", "vqa", "pos"]

    assert main(["import-official", "model.pth", *arguments]) == 0

    ((source, _, _),) = converted
    assert source == Source(Path("model.pth"), Path("conf"), Path("subwords"), "bgr", ("vqa", "pos"))
