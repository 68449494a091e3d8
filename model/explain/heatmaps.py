"""Heat maps of explanations: the input pictures, brighter where the attention is higher."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from omninet.model.explain.explanation import Explanation
from omninet.model.job import Job
from omninet.model.outputs.answer import Answer

PICTURE, FRAME = 160, 96  # side of a panel in pixels, for an image and for a video frame
COLUMNS = 5  # panels per row, for an image
TEXT, BAR, GAP = 18, 12, 6
HEAT, INK, PAPER = (255, 96, 0), (24, 24, 24), (255, 255, 255)
DIM = 0.35  # brightness of cells without attention


def draw(frames: np.ndarray, explanation: Explanation) -> bytes:
    """Draw an explanation as a PNG.

    An image gets one panel per output. A video gets one strip of frames per output, with the frame weights as bars.

    Args:
        frames: prepared frames of the input, uint8 RGB (t, 3, size, size).
    """
    pictures = [Image.fromarray(np.ascontiguousarray(frame.transpose(1, 2, 0))) for frame in frames]
    sheet = _panels(pictures[0], explanation) if len(pictures) == 1 else _strips(pictures, explanation)
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def draw_answer(job: Job, answer: Answer) -> bytes:
    """Draw the explanation of an answer as a PNG; the request must have asked for one."""
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
    """Scale a picture to ``side`` and light it by the weights of its cells (rows, columns); ``most`` is full light."""
    scaled = picture.resize((side, side), Image.Resampling.BILINEAR)
    if not cells.size:
        return scaled
    share = np.clip(cells / max(most or float(cells.max()), 1e-9), 0, 1)
    light = Image.fromarray((255 * share).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    dim = Image.blend(Image.new("RGB", scaled.size), scaled, DIM)
    warm = Image.blend(scaled, Image.new("RGB", scaled.size, HEAT), 0.25)
    return Image.composite(warm, dim, light)


def _write(sheet: Image.Image, place: tuple[int, int], text: str, width: int) -> None:
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT - 5)
    line = text.strip()
    while line and pen.textlength(line, font) > width:
        line = line[:-1]
    pen.text(place, line, INK, font)
