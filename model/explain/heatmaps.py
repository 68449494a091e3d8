"""Explanations as pictures: what was seen, brighter where the network looked."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from omninet.model.explain.explanation import Explanation
from omninet.model.job import Job
from omninet.model.outputs.answer import Answer

PICTURE, FRAME = 160, 96  # pixels of a panel's side, of a picture's and of a video's
COLUMNS = 5  # panels of a picture beside one another
TEXT, BAR, GAP = 18, 12, 6
HEAT, INK, PAPER = (255, 96, 0), (24, 24, 24), (255, 255, 255)
DIM = 0.35  # what is left of the light where nobody looked


def draw(frames: np.ndarray, explanation: Explanation) -> bytes:
    """A PNG: of a picture a panel for each output, of a video a strip of its frames, with their weights as bars.

    Args:
        frames: that the network saw, uint8 RGB (t, 3, size, size).
    """
    pictures = [Image.fromarray(np.ascontiguousarray(frame.transpose(1, 2, 0))) for frame in frames]
    sheet = _panels(pictures[0], explanation) if len(pictures) == 1 else _strips(pictures, explanation)
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def draw_answer(job: Job, answer: Answer) -> bytes:
    """A PNG of what an answer that was asked to explain itself attended to."""
    assert answer.explanation is not None
    assert job.frames is not None
    return draw(job.frames, answer.explanation)


def _panels(picture: Image.Image, explanation: Explanation) -> Image.Image:
    cells = explanation.cells()
    rows, columns = -(-len(cells) // COLUMNS), min(COLUMNS, len(cells))
    side, height = PICTURE + GAP, PICTURE + TEXT + GAP
    sheet = Image.new("RGB", (columns * side + GAP, rows * height + GAP), PAPER)
    for i, text in enumerate(explanation.outputs):
        left, top = GAP + i % COLUMNS * side, GAP + i // COLUMNS * height
        sheet.paste(_lit(picture, cells[i, 0], PICTURE), (left, top))
        _write(sheet, (left, top + PICTURE), text, PICTURE)
    return sheet


def _strips(pictures: list[Image.Image], explanation: Explanation) -> Image.Image:
    cells, steps = explanation.cells(), explanation.steps()[:, : len(pictures)]
    side, strip = FRAME + GAP, TEXT + FRAME + BAR + GAP
    sheet = Image.new("RGB", (len(pictures) * side + GAP, len(cells) * strip + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    for i, text in enumerate(explanation.outputs):
        top = GAP + i * strip
        _write(sheet, (GAP, top), text, sheet.width - 2 * GAP)
        for j, picture in enumerate(pictures):
            left = GAP + j * side
            lit = _lit(picture, cells[i, j], FRAME, float(cells[i].max(initial=0)))
            sheet.paste(lit, (left, top + TEXT))
            below = top + TEXT + FRAME + BAR
            height = round(BAR * float(steps[i, j] / steps[i].max(initial=1e-9)))
            if height:
                pen.rectangle((left, below - height, left + FRAME - 1, below - 1), fill=HEAT)
    return sheet


def _lit(picture: Image.Image, cells: np.ndarray, side: int, most: float | None = None) -> Image.Image:
    """A picture that is dim, but for what its cells (rows, columns) have weight for; ``most`` is full light."""
    seen = picture.resize((side, side), Image.Resampling.BILINEAR)
    if not cells.size:
        return seen
    share = np.clip(cells / max(most or float(cells.max()), 1e-9), 0, 1)
    light = Image.fromarray((255 * share).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    dim = Image.blend(Image.new("RGB", seen.size), seen, DIM)
    warm = Image.blend(seen, Image.new("RGB", seen.size, HEAT), 0.25)
    return Image.composite(warm, dim, light)


def _write(sheet: Image.Image, place: tuple[int, int], text: str, width: int) -> None:
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT - 5)
    line = text.strip()
    while line and pen.textlength(line, font) > width:
        line = line[:-1]
    pen.text(place, line, INK, font)
