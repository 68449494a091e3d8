"""Heat maps of explanations: the input pictures, brighter where the attention is higher."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from omninet.model.explain.explanation import Explanation
from omninet.model.job import Job
from omninet.model.outputs.answer import Answer

PICTURE, FRAME = 160, 96  # longer side of a panel in pixels, for an image and for a video frame
COLUMNS, MOST_FRAMES = 5, 12  # panels in a row, for an image and for a video
LEAST = 16  # shorter side of a panel in pixels
TEXT, BAR, GAP = 18, 12, 6
HEAT, INK, PAPER = (255, 96, 0), (24, 24, 24), (255, 255, 255)
DIM = 0.35  # brightness of cells without attention


def draw(frames: np.ndarray, explanation: Explanation) -> bytes:
    """Draw an explanation as a PNG.

    An image gets one panel per output. A video gets one strip of frames per output, in rows of at most MOST_FRAMES,
    with the frame weights as bars. Panels have the proportions of the picture.

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
    cells, size = explanation.cells(), _size(explanation, PICTURE)
    rows, columns = -(-len(cells) // COLUMNS), min(COLUMNS, len(cells))
    across, down = size[0] + GAP, size[1] + TEXT + GAP
    sheet = Image.new("RGB", (columns * across + GAP, rows * down + GAP), PAPER)
    for i, text in enumerate(explanation.outputs):
        left, top = GAP + i % COLUMNS * across, GAP + i // COLUMNS * down
        sheet.paste(_lit(picture, cells[i, 0], size), (left, top))
        _write(sheet, (left, top + size[1]), text, size[0])
    return sheet


def _strips(pictures: list[Image.Image], explanation: Explanation) -> Image.Image:
    cells, steps = explanation.cells(), explanation.steps()[:, : len(pictures)]
    size = _size(explanation, FRAME)
    rows = -(-len(pictures) // MOST_FRAMES)
    columns = -(-len(pictures) // rows)
    across, down = size[0] + GAP, size[1] + BAR + GAP
    strip = TEXT + rows * down
    sheet = Image.new("RGB", (columns * across + GAP, len(cells) * strip + GAP), PAPER)
    for i, text in enumerate(explanation.outputs):
        _write(sheet, (GAP, GAP + i * strip), text, sheet.width - 2 * GAP)
        weights, most = steps[i] / steps[i].max(initial=1e-9), float(cells[i].max(initial=0))
        for j, picture in enumerate(pictures):
            place = GAP + j % columns * across, GAP + i * strip + TEXT + j // columns * down
            sheet.paste(_lit(picture, cells[i, j], size, most), place)
            _draw_bar(sheet, (place[0], place[1] + size[1]), size[0], float(weights[j]))
    return sheet


def _size(explanation: Explanation, longer: int) -> tuple[int, int]:
    """Return width and height of a panel: those of a square picture, unless the square was squashed."""
    aspect = explanation.framing.aspect if explanation.framing.treatment == "squash" else 1.0
    width, height = (longer, longer / aspect) if aspect > 1 else (longer * aspect, longer)
    return max(LEAST, round(width)), max(LEAST, round(height))


def _draw_bar(sheet: Image.Image, place: tuple[int, int], width: int, weight: float) -> None:
    """Draw a bar of a weight, 0 to 1, that stands in a box with its upper left corner at ``place``."""
    (left, top), height = place, round(BAR * weight)
    if height:
        ImageDraw.Draw(sheet).rectangle((left, top + BAR - height, left + width - 1, top + BAR - 1), fill=HEAT)


def _lit(picture: Image.Image, cells: np.ndarray, size: tuple[int, int], most: float | None = None) -> Image.Image:
    """Scale a picture to ``size`` and light it by the weights of its cells (rows, columns); ``most`` is full light."""
    scaled = picture.resize(size, Image.Resampling.BILINEAR)
    if not cells.size:
        return scaled
    share = np.clip(cells / max(most or float(cells.max()), 1e-9), 0, 1)
    light = Image.fromarray((255 * share).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    dim = Image.blend(Image.new("RGB", scaled.size), scaled, DIM)
    warm = Image.blend(scaled, Image.new("RGB", scaled.size, HEAT), 0.25)
    return Image.composite(warm, dim, light)


def _write(sheet: Image.Image, place: tuple[int, int], text: str, width: int) -> None:
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT - 5)
    line = text.strip()
    while line and pen.textlength(line, font) > width:
        line = line[:-1]
    pen.text(place, line, INK, font)
