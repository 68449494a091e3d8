"""The two Java programs of pycocoevalcap: the Penn Treebank tokeniser and METEOR 1.5."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import IO

from pycocoevalcap.meteor import meteor as meteor_module
from pycocoevalcap.tokenizer import ptbtokenizer

TOKENISER = Path(ptbtokenizer.__file__).parent / ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR
METEOR = Path(meteor_module.__file__).parent / meteor_module.METEOR_JAR
JAVA = ("java", "-Xmx2G", "-Dfile.encoding=UTF-8")


class JavaError(Exception):
    """Java is not installed, or one of its programs failed."""


def tokenise(captions: Sequence[str]) -> list[str]:
    """Tokenise captions as the COCO evaluation does: lower case, no punctuation, tokens joined by spaces.

    Raises:
        JavaError: Java is not installed, or the tokeniser failed.
    """
    command = [*JAVA, "-cp", str(TOKENISER), "edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase"]
    lines = "".join(" ".join(caption.split()) + "\n" for caption in captions)
    try:
        run = subprocess.run(command, input=lines, capture_output=True, encoding="utf-8", check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise JavaError(f"the PTB tokeniser failed: {error}") from error
    tokenised = run.stdout.split("\n")[:-1]
    if len(tokenised) != len(captions):
        raise JavaError(f"the PTB tokeniser returned {len(tokenised)} lines for {len(captions)} captions")
    unwanted = set(ptbtokenizer.PUNCTUATIONS)
    return [" ".join(word for word in line.split() if word not in unwanted) for line in tokenised]


def meteor(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Return METEOR, in [0, 100], of one tokenised caption per picture against its references.

    Raises:
        JavaError: Java is not installed, or METEOR failed.
    """
    command = [*JAVA, "-jar", str(METEOR), "-", "-", "-stdio", "-l", "en", "-norm"]
    try:
        with subprocess.Popen(command, encoding="utf-8", stdin=PIPE, stdout=PIPE, stderr=DEVNULL) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                return 100 * _converse(process.stdin, process.stdout, hypotheses, references)
            finally:
                process.kill()
    except (OSError, ValueError) as error:
        raise JavaError(f"METEOR failed: {error}") from error


def _converse(ask: IO[str], answer: IO[str], hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Send each picture to METEOR for its statistics, then all statistics for the corpus score."""
    statistics = []
    for hypothesis, captions in zip(hypotheses, references, strict=True):
        statistics.append(_exchange(ask, answer, "SCORE", *captions, hypothesis))
    _exchange(ask, answer, "EVAL", *statistics)
    for _ in statistics[1:]:
        answer.readline()
    return float(answer.readline())


def _exchange(ask: IO[str], answer: IO[str], *fields: str) -> str:
    ask.write(" ||| ".join(field.replace("|||", "") for field in fields) + "\n")
    ask.flush()
    return answer.readline().strip()
