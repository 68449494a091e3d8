"""The Java programs: what they give, and what is said when they do not."""

from __future__ import annotations

import shutil

import pytest

from omninet.model.outputs.text import java
from omninet.model.outputs.text.java import JavaError, meteor, tokenise

needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="needs Java")


@needs_java
def test_tokens() -> None:
    captions = ["A dog's ball, it is; 3,000!", "", "Café\u2028naïve — “so”."]

    assert tokenise(captions) == ["a dog 's ball it is 3,000", "", "café naïve so"]


@needs_java
@pytest.mark.slow
def test_meteor_without_a_common_word() -> None:
    assert meteor(["red", ""], [["a dog runs"], ["two men"]]) == 0


@pytest.mark.parametrize("program", ["no-such-java", "false"])
def test_no_java(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "JAVA", (program,))

    with pytest.raises(JavaError, match="the PTB tokeniser failed"):
        tokenise(["a dog"])
    with pytest.raises(JavaError, match="METEOR failed"):
        meteor(["a dog"], [["a dog"]])


def test_a_missing_line_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "JAVA", ("sh", "-c", "cat >/dev/null; echo one"))

    with pytest.raises(JavaError, match="returned 1 lines for 2"):
        tokenise(["one", "two"])
