"""User modules (OMNINET_EXTENSIONS)."""

from __future__ import annotations

from pathlib import Path

import pytest

from omninet.model.errors import ConfigError
from omninet.model.extensions import VARIABLE, extensions, load_extensions


def test_modules_are_named_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, " counting_extension , ")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "counting_extension.py").write_text("calls = []\ndef extend():\n    calls.append(1)\n")

    load_extensions()
    load_extensions()

    import counting_extension  # type: ignore[import-not-found]

    assert extensions() == ["counting_extension"]
    assert counting_extension.calls == [1, 1]


def test_without_the_variable_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)

    assert extensions() == []
    load_extensions()


@pytest.mark.parametrize(
    ("name", "message"),
    [("no_such_module", "there is no module 'no_such_module' on Python's path"), ("json", "has no function extend")],
)
def test_invalid_extensions(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_extensions([name])
