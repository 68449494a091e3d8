"""Draws the sample inputs of the page: ``python -m tests.app.draw_samples`` writes them into ``app/static/samples``."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFilter

FOLDER = Path(__file__).parents[2] / "app" / "static" / "samples"
SCALE = 2  # drawn larger and reduced, which smooths the edges
Point = tuple[float, float]


class Canvas:
    """A drawing in units of the final pixels."""

    def __init__(self, width: int, height: int, top: str, bottom: str) -> None:
        self.size = (width, height)
        ramp = Image.linear_gradient("L").resize((width * SCALE, height * SCALE))
        self.image = Image.composite(Image.new("RGB", ramp.size, bottom), Image.new("RGB", ramp.size, top), ramp)
        self.draw = ImageDraw.Draw(self.image)

    def polygon(self, points: list[Point], colour: str) -> None:
        self.draw.polygon([(x * SCALE, y * SCALE) for x, y in points], colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: str, radius: float = 0) -> None:
        corners = [left * SCALE, top * SCALE, right * SCALE, bottom * SCALE]
        self.draw.rounded_rectangle(corners, radius * SCALE, colour)

    def oval(self, x: float, y: float, across: float, down: float, colour: str) -> None:
        self.draw.ellipse([(x - across) * SCALE, (y - down) * SCALE, (x + across) * SCALE, (y + down) * SCALE], colour)

    def limb(self, points: list[Point], colour: str, width: float) -> None:
        self.draw.line([(x * SCALE, y * SCALE) for x, y in points], colour, round(width * SCALE), "curve")
        for x, y in points:
            self.oval(x, y, width / 2, width / 2, colour)

    def finished(self) -> Image.Image:
        return self.image.resize(self.size, Image.Resampling.LANCZOS)


def meadow(width: int, height: int, horizon: float) -> Canvas:
    """Sky over grass with some texture in it."""
    canvas = Canvas(width, height, "#7fb2e5", "#d9ecfa")
    for x, y, size in ((0.2, 0.15, 26), (0.27, 0.13, 34), (0.34, 0.16, 24), (0.74, 0.25, 20), (0.8, 0.23, 28)):
        canvas.oval(x * width, y * height, size, size * 0.5, "#f6fafd")
    canvas.box(0, horizon, width, height, "#6a9a3f")
    dice = random.Random(7)
    for _ in range(700):
        x, y = dice.uniform(0, width), dice.uniform(horizon, height)
        reach = 3 + 9 * (y - horizon) / (height - horizon)
        colour = dice.choice(("#5b8a34", "#79aa4b", "#86b556", "#527d2f"))
        canvas.limb([(x, y), (x + dice.uniform(-2, 2), y - reach)], colour, 1.2)
    return canvas


def dog() -> Image.Image:
    """A brown dog that runs over a meadow after a red ball."""
    canvas = meadow(448, 320, 170)
    canvas.oval(210, 268, 112, 9, "#4c752c")
    fur, dark = "#8a5a34", "#6d4527"
    canvas.limb([(150, 205), (122, 240), (98, 262)], dark, 15)
    canvas.limb([(262, 212), (292, 240), (318, 258)], dark, 14)
    canvas.oval(205, 200, 78, 32, fur)
    canvas.limb([(160, 212), (148, 246), (166, 266)], fur, 17)
    canvas.limb([(250, 212), (262, 246), (246, 268)], fur, 15)
    canvas.limb([(134, 192), (106, 172), (94, 146)], fur, 11)
    canvas.limb([(262, 190), (296, 158)], fur, 36)
    canvas.oval(306, 146, 30, 25, fur)
    canvas.limb([(322, 152), (344, 156)], fur, 22)
    canvas.oval(354, 150, 6, 5, "#241a14")
    canvas.limb([(330, 168), (337, 180)], "#d9697a", 7)
    canvas.limb([(292, 132), (276, 152), (282, 166)], dark, 15)
    canvas.oval(318, 140, 4, 4, "#1d1511")
    canvas.limb([(272, 182), (286, 196)], "#c33a32", 8)
    canvas.oval(404, 250, 20, 5, "#4c752c")
    canvas.oval(404, 234, 18, 18, "#cf3a30")
    canvas.oval(398, 227, 5, 4, "#ee8d84")
    return canvas.finished()


def room() -> Image.Image:
    """A room with a table, a lamp, a chair and a picture on the wall."""
    canvas = Canvas(448, 320, "#e6dccb", "#d6c8b1")
    canvas.box(0, 222, 448, 320, "#a47c57")
    for i in range(-6, 13):
        canvas.limb([(224 + 30 * i, 222), (224 + 92 * i, 330)], "#946d4a", 1.5)
    canvas.box(0, 216, 448, 223, "#f4efe6")
    canvas.box(40, 34, 136, 150, "#f7f5f0", 3)
    canvas.box(46, 40, 130, 144, "#a9cdec")
    canvas.oval(70, 74, 18, 8, "#eef6fc")
    canvas.polygon([(46, 144), (46, 120), (84, 102), (130, 126), (130, 144)], "#7da45c")
    canvas.limb([(88, 40), (88, 144)], "#f7f5f0", 5)
    canvas.limb([(46, 92), (130, 92)], "#f7f5f0", 5)
    canvas.box(300, 46, 388, 112, "#5a3f2a", 2)
    canvas.box(306, 52, 382, 106, "#efe6d2")
    canvas.oval(330, 78, 15, 15, "#d08a3e")
    canvas.polygon([(344, 106), (366, 70), (382, 96), (382, 106)], "#4d7a86")
    canvas.oval(228, 296, 130, 11, "#8a6645")
    for x in (140, 308):
        canvas.limb([(x, 198), (x - 4, 292)], "#5e3d25", 9)
        canvas.limb([(x + 12, 198), (x + 12, 268)], "#4c311d", 7)
    canvas.polygon([(128, 178), (330, 178), (352, 198), (108, 198)], "#8b5d3b")
    canvas.box(108, 197, 352, 206, "#734a2d")
    canvas.box(168, 182, 196, 188, "#3c3a3a", 2)
    canvas.limb([(182, 184), (182, 132)], "#3c3a3a", 4)
    canvas.polygon([(164, 140), (172, 104), (192, 104), (200, 140)], "#f0c65a")
    canvas.oval(250, 184, 20, 5, "#f2f0ec")
    canvas.box(238, 162, 262, 184, "#c0453a", 4)
    canvas.limb([(262, 168), (270, 172), (262, 178)], "#c0453a", 4)
    canvas.polygon([(288, 190), (334, 190), (328, 180), (290, 180)], "#3f6aa3")
    for x in (372, 420):
        canvas.limb([(x, 232), (x, 306)], "#2f4858", 7)
    canvas.limb([(420, 150), (420, 236)], "#2f4858", 7)
    canvas.limb([(380, 150), (380, 226)], "#2f4858", 6)
    canvas.box(376, 150, 424, 196, "#3d5f74", 5)
    canvas.box(364, 224, 428, 238, "#4a7189", 5)
    return canvas.finished()


def beach() -> Image.Image:
    """A sailing boat before the setting sun."""
    canvas = Canvas(448, 320, "#e8743b", "#fbd487")
    canvas.oval(310, 150, 44, 44, "#fff0c0")
    canvas.box(0, 172, 448, 320, "#2f6f8f")
    dice = random.Random(3)
    for _ in range(150):
        x, y = dice.uniform(0, 448), dice.uniform(176, 268)
        near = (y - 172) / 100
        colour = "#f6c682" if abs(x - 310) < 40 + 30 * near else dice.choice(("#3d829f", "#27617e"))
        canvas.limb([(x, y), (x + 8 + 18 * near, y)], colour, 1.5 + near)
    canvas.polygon([(112, 204), (196, 204), (182, 222), (126, 222)], "#7a3326")
    canvas.limb([(152, 96), (152, 204)], "#4d2a1d", 4)
    canvas.polygon([(156, 100), (156, 194), (206, 194)], "#fbf6ea")
    canvas.polygon([(148, 110), (148, 194), (112, 194)], "#e9dfc9")
    shore: list[Point] = [(0, 276), (120, 262), (290, 272), (448, 258)]
    canvas.polygon([*shore, (448, 320), (0, 320)], "#f6ead2")
    canvas.polygon([*((x, y + 6) for x, y in shore), (448, 320), (0, 320)], "#e0bd86")
    return canvas.finished()


def person(canvas: Canvas, x: float, y: float, arms: float, legs: float) -> None:
    """A person standing at (x, y); angles in degrees, arms from straight down, legs from the vertical."""
    skin, shirt, trousers = "#d9a27c", "#c8453b", "#2c3e5c"
    canvas.oval(x, y + 2, 34, 5, "#4c752c")
    for side in (-1, 1):
        turn = math.radians(legs) * side
        knee = (x + 7 * side + 26 * math.sin(turn), y - 52 + 26 * math.cos(turn))
        foot = (knee[0] + 26 * math.sin(turn), knee[1] + 26 * math.cos(turn))
        canvas.limb([(x + 7 * side, y - 52), knee, foot], trousers, 13)
        canvas.limb([foot, (foot[0] + 6 * side, foot[1])], "#22252b", 8)
    canvas.box(x - 16, y - 104, x + 16, y - 48, shirt, 8)
    for side in (-1, 1):
        turn = math.radians(arms) * side
        elbow = (x + 15 * side + 22 * math.sin(turn), y - 97 + 22 * math.cos(turn))
        hand = (elbow[0] + 22 * math.sin(turn * 1.08), elbow[1] + 22 * math.cos(turn * 1.08))
        canvas.limb([(x + 15 * side, y - 97), elbow], shirt, 10)
        canvas.limb([elbow, hand], skin, 8)
    canvas.oval(x, y - 122, 14, 16, skin)
    canvas.oval(x, y - 131, 15, 10, "#3a2a20")


def jumping(moment: float) -> Image.Image:
    """A person doing jumping jacks; ``moment`` in [0, 1) is one of them."""
    canvas = meadow(240, 176, 96)
    phase = 0.5 - 0.5 * math.cos(2 * math.pi * moment)
    person(canvas, 120, 164 - 12 * math.sin(2 * math.pi * moment) ** 2, 15 + 145 * phase, 4 + 20 * phase)
    return canvas.finished()


def waving(moment: float) -> Image.Image:
    """A person waving both hands; ``moment`` in [0, 1) is one wave."""
    canvas = meadow(240, 176, 96)
    person(canvas, 120, 164, 138 + 30 * math.sin(2 * math.pi * moment), 5)
    return canvas.finished()


def write_clip(path: Path, draw: Callable[[float], Image.Image], frames: int = 48, period: int = 16) -> None:
    """A WebM of 16 frames a second in which the movement repeats every ``period`` frames."""
    with av.open(str(path), "w", format="webm") as output:
        stream = output.add_stream("libvpx-vp9", rate=16, options={"crf": "38", "b": "0", "g": "24"})
        stream.width, stream.height, stream.pix_fmt = 240, 176, "yuv420p"
        for i in range(frames):
            frame = av.VideoFrame.from_ndarray(np.asarray(draw(i % period / period)), format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 16)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())


def main() -> None:
    """Write every sample."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, picture in {"dog": dog, "room": room, "beach": beach}.items():
        soft = picture().filter(ImageFilter.GaussianBlur(0.4))
        soft.save(FOLDER / f"{name}.jpg", quality=84, optimize=True)
    write_clip(FOLDER / "jumping.webm", jumping)
    write_clip(FOLDER / "waving.webm", waving)


if __name__ == "__main__":
    main()
