"""Captions of the first dev photos, as a page for human judgement."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omninet.model.predictor import Predictor
from omninet.training.data import Example
from omninet.training.evaluate.answering import answer_all
from omninet.training.evaluate.markdown import rows

COUNT = 20
PAGE = """\
# What the model says of {count} photos

The first {count} photos of a dev list (`{data}`), none of them chosen, captioned by {name} {version} (weights
`{digest}`):

    {command}

The photos are not shown: the data set is for research only. Per token: geometric mean of the probabilities. The verdict
is for a person to fill in.

{table}"""


def gallery(predictor: Predictor, photos: Sequence[Example], command: str) -> str:
    """Return a page in Markdown, without the photos and without the data set's captions.

    Args:
        photos: in the order of the dev list.
    """
    first = photos[:COUNT]
    captions, output = answer_all(predictor, first, title="gallery"), predictor.output(first[0].task)
    cells = [
        (str(number), example.media[0].name, output.line(caption), f"{output.probability(caption):.2f}", "")
        for number, (example, caption) in enumerate(zip(first, captions, strict=True), 1)
    ]
    return PAGE.format(
        count=len(first),
        data=first[0].media[0].parent.name,
        name=predictor.name,
        version=predictor.version,
        digest=predictor.digest[:12],
        command=command,
        table=rows("number | file | caption | per token | verdict", cells),
    )


def write_gallery(path: Path, page: str) -> None:
    """Write the page; create the folder if necessary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
