"""Image bytes to pixels."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from PIL import Image

from omninet.model.errors import InputError
from omninet.model.media.images import decode_image
from omninet.model.media.limits import MediaLimits
from omninet.model.media.pixels import image_to_array
from tests.samples import image_bytes, picture

ORIENTATION = 0x0112
# EXIF: what the sides of the stored array are in the picture, from the picture (height, width, 3).
STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,  # row 0 is the top, column 0 the left
    2: lambda a: a[:, ::-1],  # top, right
    3: lambda a: a[::-1, ::-1],  # bottom, right
    4: lambda a: a[::-1],  # bottom, left
    5: lambda a: a.transpose(1, 0, 2),  # left, top
    6: lambda a: a.transpose(1, 0, 2)[::-1],  # right, top
    7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],  # right, bottom
    8: lambda a: a.transpose(1, 0, 2)[:, ::-1],  # left, bottom
}
BEST: dict[str, dict[str, Any]] = {"PNG": {}, "JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}


def pixels_of(image: Image.Image) -> np.ndarray:
    """RGB, (3, height, width)."""
    return np.array(image.convert("RGB")).transpose(2, 0, 1)


def code_of(data: bytes, limits: MediaLimits | None = None) -> str:
    """The code of the error that decoding raises."""
    with pytest.raises(InputError) as caught:
        decode_image(data, limits)
    return caught.value.code


def png_header(width: int, height: int) -> bytes:
    """A PNG of so many pixels whose data are missing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(header)) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_lossless_formats_keep_every_pixel(kind: str) -> None:
    decoded = decode_image(image_bytes(picture(), kind))

    assert decoded.pixels.dtype == np.uint8
    assert not decoded.truncated
    assert np.array_equal(decoded.pixels, pixels_of(picture()))


@pytest.mark.parametrize(("kind", "options"), [("JPEG", {"quality": 95}), ("WEBP", {"quality": 95}), ("GIF", {})])
def test_lossy_formats_keep_the_picture(kind: str, options: dict[str, int]) -> None:
    pixels = decode_image(image_bytes(picture(), kind, **options)).pixels

    assert pixels.shape == (3, 48, 64)
    difference = np.abs(pixels.astype(float) - pixels_of(picture()).astype(float))
    assert difference.mean() < 16
    assert (pixels[:, 2:6, 2:6] > 235).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_first_frame_of_an_animation(kind: str) -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "lime", "blue")]

    data = image_bytes(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)

    red, green, blue = decode_image(data).pixels.astype(float).mean((1, 2)).tolist()
    assert red > 250
    assert green < 5
    assert blue < 5


@pytest.mark.parametrize(("orientation", "kind"), list(product(STORED, ["PNG", "JPEG", "WEBP"])))
def test_exif_orientation_is_applied(orientation: int, kind: str) -> None:
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](np.array(picture()))))
    exif = stored.getexif()
    exif[ORIENTATION] = orientation

    pixels = decode_image(image_bytes(stored, kind, exif=exif, **BEST[kind])).pixels

    wanted = pixels_of(picture()).astype(float)
    assert pixels.shape == wanted.shape
    assert np.abs(pixels.astype(float) - wanted).mean() < (2 if kind == "JPEG" else 1e-9)


def test_damaged_metadata_hides_neither_the_picture_nor_its_orientation() -> None:
    stored = Image.fromarray(np.ascontiguousarray(STORED[6](np.array(picture()))))
    exif = stored.getexif()
    exif[ORIENTATION], exif[0x011A] = 6, 72.0
    # The resolution's type becomes text: what Pillow cannot write again, it must not need to.
    blob = exif.tobytes().replace(struct.pack(">HH", 0x011A, 5), struct.pack(">HH", 0x011A, 2))
    assert blob != exif.tobytes()

    assert decode_image(image_bytes(stored, "JPEG", exif=blob)).pixels.shape == (3, 48, 64)
    assert np.array_equal(
        decode_image(image_bytes(picture(), "PNG", exif=b"Exif\0\0nonsense")).pixels, pixels_of(picture())
    )


@pytest.mark.parametrize("alpha", [0, 102, 255])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_blended_with_white(mode: str, alpha: int) -> None:
    image = Image.new("RGBA", (6, 4), (100, 100, 100, alpha)).convert(mode)

    pixels = decode_image(image_bytes(image)).pixels

    grey = round(100 * alpha / 255 + 255 * (1 - alpha / 255))
    assert np.abs(pixels.astype(int) - grey).max() <= 1


def test_transparent_colour_of_a_palette_is_white() -> None:
    image = Image.new("P", (4, 2), 1)
    image.putpalette([9, 9, 9, 200, 100, 50])
    image.putpixel((0, 0), 0)

    for kind in ("PNG", "GIF"):
        pixels = decode_image(image_bytes(image, kind, transparency=0)).pixels
        assert pixels[:, 0, 0].tolist() == [255, 255, 255]
        assert pixels[:, 1, 3].tolist() == [200, 100, 50]


@pytest.mark.parametrize(
    ("mode", "kind", "tolerance"),
    [("P", "PNG", 0), ("P", "BMP", 0), ("L", "PNG", 0), ("1", "PNG", 0), ("1", "BMP", 0), ("CMYK", "JPEG", 3)],
)
def test_modes_are_converted(mode: str, kind: str, tolerance: int) -> None:
    image = Image.new("RGB", (32, 16), "#204060").convert(mode)
    image.paste(Image.new("RGB", (16, 16), "#e0d0c0").convert(mode), (16, 0))

    pixels = decode_image(image_bytes(image, kind)).pixels.astype(int)

    wanted = pixels_of(image).astype(int)
    assert wanted[:, 8, 4].tolist() != wanted[:, 8, 24].tolist()
    assert np.abs(pixels - wanted)[:, :, [4, 24]].max() <= tolerance


@pytest.mark.parametrize(("transparency", "first"), [(None, 0), (0, 255)])
def test_sixteen_bits_are_scaled_not_clipped(transparency: int | None, first: int) -> None:
    image = Image.fromarray(np.array([[0, 257, 32896, 65535]], np.uint16))
    options = {} if transparency is None else {"transparency": transparency}

    pixels = decode_image(image_bytes(image, "PNG", **options)).pixels

    assert pixels[:, 0].tolist() == [[first, 1, 128, 255]] * 3


def test_small_values_in_a_wide_type_are_eight_bits() -> None:
    image = Image.fromarray(np.array([[0, 128, 255]], np.int32))

    assert image_to_array(image)[:, 0].tolist() == [[0, 128, 255]] * 3


@pytest.mark.parametrize(("width", "height"), [(10_000, 10_000), (20_000, 20_000), (1, 52_000_001)])
def test_too_many_pixels_are_rejected_before_decoding(width: int, height: int) -> None:
    # There are no data: decoding would have been found out as corrupt_image.
    assert code_of(png_header(width, height)) == "image_too_large"


def test_the_limit_is_a_setting() -> None:
    with pytest.raises(InputError, match="64 x 48") as caught:
        decode_image(image_bytes(), MediaLimits(image_pixels=64 * 48 - 1))

    assert caught.value.detail == {"width": 64, "height": 48, "limit": 64 * 48 - 1}
    assert decode_image(image_bytes(), MediaLimits(image_pixels=64 * 48)).pixels.shape == (3, 48, 64)


def test_a_truncated_jpeg_gives_its_readable_part() -> None:
    data = image_bytes(picture(256, 256), "JPEG", quality=95)
    whole = decode_image(data).pixels

    cut = decode_image(data[: len(data) // 2])

    assert cut.truncated
    assert cut.pixels.shape == whole.shape
    assert np.array_equal(cut.pixels[:, :64], whole[:, :64])
    assert not np.array_equal(cut.pixels[:, 192:], whole[:, 192:])


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "GIF"])
def test_other_truncated_formats_are_corrupt(kind: str) -> None:
    data = image_bytes(picture(256, 256), kind)

    assert code_of(data[: len(data) // 2]) == "corrupt_image"


def test_files_that_are_not_images() -> None:
    assert code_of(b"") == "empty_file"
    assert code_of(b"hello") == "not_an_image"
    assert code_of(np.random.default_rng(0).bytes(5000)) == "not_an_image"
    assert code_of(image_bytes(kind="JPEG2000")) == "not_an_image"
    assert code_of(image_bytes(kind="JPEG")[:20]) in {"not_an_image", "corrupt_image"}


def damaged(whole: bytes) -> Iterator[bytes]:
    """Yield 60 copies with six random bytes each, one of them in the first 60."""
    generator = np.random.default_rng(1)
    for _ in range(60):
        data = bytearray(whole)
        for position in [*generator.integers(0, len(data), 5), generator.integers(60)]:
            data[position] = generator.integers(256)
        yield bytes(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_damaged_bytes_give_a_picture_or_an_input_error(kind: str) -> None:
    outcomes = set()
    for data in damaged(image_bytes(picture(), kind)):
        try:
            decode_image(data)
            outcomes.add("decoded")
        except InputError as error:
            outcomes.add(error.code)

    assert outcomes <= {"decoded", "not_an_image", "corrupt_image", "image_too_large"}
    assert len(outcomes) > 1


def test_a_jpeg_with_a_thousand_scans_is_rejected_before_decoding() -> None:
    data = image_bytes(picture(), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")

    assert code_of(data[:start] + data[start:-2] * 1000 + b"\xff\xd9") == "media_too_expensive"


@pytest.mark.parametrize(
    ("size", "least", "decoded"),
    [
        ((1600, 1200), 300, (400, 300)),
        ((1600, 1200), 301, (800, 600)),
        ((1600, 1200), 0, (1600, 1200)),
        ((1600, 1200), 10, (200, 150)),
        ((999, 1000), 125, (250, 250)),
        ((40, 30), 300, (40, 30)),
    ],
)
def test_large_jpegs_are_decoded_to_a_fraction(size: tuple[int, int], least: int, decoded: tuple[int, int]) -> None:
    """The shorter side keeps at least so many pixels, and the size is that of the file."""
    image = picture(*size)

    found = decode_image(image_bytes(image, "JPEG"), least=least)

    assert found.pixels.shape == (3, *decoded[::-1])
    assert found.full_size == size
    near = pixels_of(image.resize(decoded, Image.Resampling.BOX)).astype(int)
    assert np.abs(found.pixels - near).mean() < 3


def test_other_formats_are_decoded_whole() -> None:
    assert decode_image(image_bytes(picture(800, 600), "PNG"), least=10).pixels.shape == (3, 600, 800)


@pytest.mark.parametrize(("orientation", "size"), [(3, (999, 1000)), (6, (1000, 999))])
def test_the_size_of_a_reduced_picture_is_as_displayed(orientation: int, size: tuple[int, int]) -> None:
    """Reduced, both sides have as many pixels, so that only the EXIF orientation tells which is longer."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation

    found = decode_image(image_bytes(picture(999, 1000), "JPEG", exif=exif), least=100)

    assert found.full_size == size
    assert found.pixels.shape == (3, 125, 125)
