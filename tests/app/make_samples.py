"""Makes the samples of the page from photos of COCO: ``python -m tests.app.make_samples DATA/coco_mini``.

The folder has the layout of COCO: ``train2017`` with the photos. ``app/static/samples/CREDITS.md`` names their sources.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

FOLDER = Path(__file__).parents[2] / "app" / "static" / "samples"
LONGEST = 640  # pixels of the longer side of a photo
QUALITY = 88
WIDTH, FRAMES, RATE = 320, 48, 16  # of a clip: pixels, number, frames a second
PHOTOS = {"table": 212679, "frisbee": 442450, "sign": 525891, "skateboard": 129648}
# Number of the photo, and the upper left corner of the last window, as shares of the photo's sides.
CLIPS = {"tennis": (174375, (0.15, 0.3)), "pitcher": (433998, (0.2, 0.25))}
LAST = 0.7  # sides of the last window, as a share of the photo's; the first window is the whole photo


def photo(folder: Path, number: int) -> Image.Image:
    """Read a photo of COCO, without its metadata, with at most LONGEST pixels a side."""
    with Image.open(folder / "train2017" / f"{number:012}.jpg") as file:
        picture = file.convert("RGB")
    picture.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    return picture


def window(picture: Image.Image, corner: tuple[float, float], share: float) -> Image.Image:
    """Cut what the camera sees after a share of its way into the photo, in the size of a clip."""
    side = 1 - share * (1 - LAST)
    left, top = (share * place * length for place, length in zip(corner, picture.size, strict=True))
    box = (left, top, left + side * picture.width, top + side * picture.height)
    height = 2 * round(WIDTH * picture.height / picture.width / 2)
    return picture.resize((WIDTH, height), Image.Resampling.BICUBIC, box=box)


def write_clip(path: Path, picture: Image.Image, corner: tuple[float, float]) -> None:
    """Write a WebM that slowly pans and zooms into a photo."""
    with av.open(str(path), "w", format="webm") as output:
        stream = output.add_stream("libvpx-vp9", rate=RATE, options={"crf": "36", "b": "0", "g": "24"})
        stream.width, stream.height = window(picture, corner, 0).size
        stream.pix_fmt = "yuv420p"
        for i in range(FRAMES):
            pixels = np.asarray(window(picture, corner, i / (FRAMES - 1)))
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())


def main(folder: Path, target: Path = FOLDER) -> None:
    """Write every sample into the folder ``target``."""
    target.mkdir(parents=True, exist_ok=True)
    for name, number in PHOTOS.items():
        photo(folder, number).save(target / f"{name}.jpg", quality=QUALITY, optimize=True, progressive=False)
    for name, (number, corner) in CLIPS.items():
        write_clip(target / f"{name}.webm", photo(folder, number), corner)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
