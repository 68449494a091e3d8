"""Images that people really send are shown as browsers show them."""

from __future__ import annotations

import importlib.util
import io
import struct
import time
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from omninet.model.errors import InputError
from omninet.model.media import images
from omninet.model.media.images import decode_image
from omninet.model.media.limits import MediaLimits
from omninet.model.media.pixels import image_to_array
from omninet.model.modalities.vision.resize import resize
from tests.cases import case
from tests.model.media.test_images import ORIENTATION, STORED, code_of, damaged, pixels_of
from tests.samples import image_bytes, picture


def small(data: bytes) -> np.ndarray:
    """Return an image as the network sees it, without the noise of its compression."""
    return resize(decode_image(data).pixels, 224, 224).astype(float)


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunks(data: bytes, *chunks: bytes) -> bytes:
    """Return a PNG with further chunks after its header."""
    return data[:33] + b"".join(chunks) + data[33:]


@pytest.mark.parametrize("name", ["icc_displayP3.png", "icc_adobeRGB.png", "progressive_trailing.jpg"])
def test_the_twins_of_a_photo(name: str) -> None:
    assert np.abs(small(case(name)) - small(case("upright.jpg"))).mean() < 1


def test_a_cut_mpo_is_a_cut_jpeg() -> None:
    picture = decode_image(case("mpo_cut_80.jpg"))

    assert picture.truncated
    assert picture.pixels.shape == (3, 48, 64)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 1.5])
def test_an_mpo_is_cut_where_its_first_picture_is(share: float) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    data = image_bytes(noise, "MPO", save_all=True, append_images=[noise], quality=90)
    first = data.index(b"\xff\xd9") + 2

    assert decode_image(data[: int(first * share)]).truncated == (share < 1)


def test_transparent_colours_of_sixteen_bits_are_white() -> None:
    pixels = decode_image(case("gray16_trns.png")).pixels
    assert (pixels[:, :, :32] == 255).all()
    assert 100 < pixels[:, :, 32:].mean() < 200

    rows = b"\0" + struct.pack(">6H", 10_000, 20_000, 30_000, 50_000, 1, 2)
    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    parts = (b"IHDR", header), (b"tRNS", rows[1:7]), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    data = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)
    assert decode_image(data).pixels[:, 0].T.tolist() == [[255, 255, 255], [195, 0, 0]]


def test_a_bmp_without_any_opaque_pixel_is_opaque() -> None:
    hidden = image_bytes(picture().convert("RGBA"), "BMP")
    assert decode_image(case("bmp_v5_alpha_zero.bmp")).pixels.mean() < 200
    assert np.array_equal(decode_image(hidden).pixels, pixels_of(picture()))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "shape"), [(1, (3, 48, 64)), (3, (3, 64, 48))])
def test_browsers_read_an_orientation_of_type_short_alone(order: str, kind: int, shape: tuple[int, ...]) -> None:
    value = struct.pack(order + "HH", 6, 0) if kind == 3 else b"\x06\0\0\0"
    magic = b"II*\0" if order == "<" else b"MM\0*"
    exif = magic + struct.pack(order + "IHHHI", 8, 1, ORIENTATION, kind, 1) + value + bytes(4)

    assert decode_image(image_bytes(picture(), "JPEG", exif=b"Exif\0\0" + exif)).pixels.shape == shape


def progressive(*segments: bytes) -> bytes:
    """Return a progressive JPEG with segments of an application."""
    data = image_bytes(picture(), "JPEG", progressive=True)
    return data[:2] + b"".join(b"\xff\xe5" + struct.pack(">H", len(part) + 2) + part for part in segments) + data[2:]


def test_scans_are_counted_in_the_image_alone() -> None:
    foreign = b"\xff\xda" * 500
    wanted = decode_image(progressive()).pixels

    for data in (progressive(foreign), progressive(foreign, foreign), progressive() + foreign, progressive(foreign)):
        assert np.array_equal(decode_image(data).pixels, wanted)
    start = progressive().rindex(b"\xff\xda")
    hostile = progressive()[:start] + progressive()[start:-2] * 200 + b"\xff\xd9"
    assert code_of(hostile) == "media_too_expensive"
    assert code_of(hostile[:2] + b"\xff\xe5\0\x04\xff\xd9" + hostile[2:]) == "media_too_expensive"


def profile(gamma: float, primaries: tuple[tuple[float, float, float], ...]) -> bytes:
    """Return a profile of version 2.

    Args:
        primaries: XYZ of red, green and blue, relative to D50.
    """
    tags = {b"wtpt": (0.9642, 1.0, 0.8249), **dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True))}
    bodies = {
        name: b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in xyz)) for name, xyz in tags.items()
    }
    curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(gamma * 256))
    bodies |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, data = struct.pack(">I", len(bodies)), b""
    for name, body in bodies.items():
        table += name + struct.pack(">II", 132 + 12 * len(bodies) + len(data), len(body))
        data += body
    header = struct.pack(
        ">I4xI4s4s4s12x4s28x", 128 + len(table) + len(data), 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"acsp"
    )
    return (header + struct.pack(">3i", 63190, 65536, 54061)).ljust(128, b"\0") + table + data


SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
PROPHOTO = ((0.7977, 0.2880, 0.0), (0.1352, 0.7119, 0.0), (0.0313, 0.0001, 0.8249))
P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize(
    "icc", [profile(1.8, PROPHOTO), profile(2.2, P3), profile(1.0, SRGB)], ids=["pro", "p3", "linear"]
)
def test_a_profile_is_applied(kind: str, icc: bytes) -> None:
    source = Image.fromarray(np.clip(np.array(picture()), 60, 190))
    there = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    coded = ImageCms.profileToProfile(source, ImageCms.createProfile("sRGB"), there)
    assert coded is not None
    best: dict[str, dict[str, Any]] = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}
    best["AVIF"] = {"quality": 98, "subsampling": "4:4:4"}
    data = image_bytes(coded, kind, icc_profile=icc, **best.get(kind, {}))

    difference = np.abs(decode_image(data).pixels.astype(float) - pixels_of(source))
    assert difference.mean() < 3
    assert np.abs(pixels_of(coded).astype(float) - pixels_of(source)).mean() > 3


def test_transparency_and_profile_together() -> None:
    source = picture().convert("RGBA")
    source.putalpha(Image.linear_gradient("L").resize(source.size))
    icc = profile(1.8, PROPHOTO)

    pixels = decode_image(image_bytes(source, icc_profile=icc)).pixels

    opaque = decode_image(image_bytes(picture(), icc_profile=icc)).pixels.astype(float)
    alpha = np.array(source.getchannel("A")) / 255
    assert np.abs(pixels - (opaque * alpha + 255 * (1 - alpha))).max() <= 2


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L"])
def test_srgb_profiles_change_nothing(mode: str) -> None:
    image = picture().convert(mode)
    for icc in (ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), None):
        plain = decode_image(image_bytes(image)).pixels
        assert np.array_equal(decode_image(image_bytes(image, icc_profile=icc)).pixels, plain)


def broken_profiles() -> dict[str, bytes]:
    """Return profiles that must not cost a picture."""
    good = profile(1.8, PROPHOTO)
    generator = np.random.default_rng(0)
    damaged = bytearray(good)
    for position in generator.integers(128, len(good), 40):
        damaged[position] = generator.integers(256)
    return {
        "empty": b"",
        "text": b"no profile at all" * 20,
        "cut": good[:200],
        "damaged": bytes(damaged),
        "of a press": good[:16] + b"CMYK" + good[20:],
        "huge": good + bytes(20 * 2**20),
        "of elements": good.replace(b"rTRC", b"D2B0").replace(b"curv", b"mpet"),
    }


@pytest.mark.parametrize("name", broken_profiles())
def test_a_broken_profile_is_ignored(name: str) -> None:
    data = image_bytes(picture(), "TIFF", icc_profile=broken_profiles()[name])
    started = time.perf_counter()

    pixels = decode_image(data).pixels

    assert time.perf_counter() - started < 1
    assert pixels.shape == (3, 48, 64)
    if name != "damaged":
        assert np.array_equal(pixels, pixels_of(picture()))


def chromaticities(*values: float) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in values)))


SRGB_WHITE_AND_PRIMARIES = chromaticities(0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
P3_WHITE_AND_PRIMARIES = chromaticities(0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)


def gamma(value: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_the_gamma_of_a_png(mode: str) -> None:
    image = Image.new("RGB", (4, 4), (55, 55, 55))
    image = image.quantize() if mode == "P" else image.convert(mode)
    linear = decode_image(with_chunks(image_bytes(image), gamma(1.0))).pixels

    assert np.abs(linear.astype(int) - 128).max() <= 1  # linear light of 0.2157 is 128 in sRGB
    for chunks in ([gamma(1 / 2.2)], [gamma(1 / 2.2), SRGB_WHITE_AND_PRIMARIES], [SRGB_WHITE_AND_PRIMARIES]):
        assert np.array_equal(decode_image(with_chunks(image_bytes(image), *chunks)).pixels, pixels_of(image))


def test_the_primaries_of_a_png() -> None:
    data = image_bytes(Image.new("RGB", (4, 4), (180, 90, 70)))

    pixels = decode_image(with_chunks(data, gamma(1 / 2.2), P3_WHITE_AND_PRIMARIES)).pixels[:, 0, 0]
    twin = decode_image(image_bytes(Image.open(io.BytesIO(data)), icc_profile=profile(2.2, P3))).pixels[:, 0, 0]

    assert pixels[0] > 185
    assert np.abs(pixels.astype(int) - twin).max() <= 3


@pytest.mark.parametrize(
    "values", [(0,) * 8, (0.3, 0.3) * 4, (1, 0) * 4, (40_000,) * 8, (0.3127, 0.329, 0, 0, 0, 0, 0, 0)]
)
@pytest.mark.parametrize("exponent", [0.45455, 1e-5, 20_000])
def test_impossible_primaries_are_ignored(values: tuple[float, ...], exponent: float) -> None:
    data = with_chunks(image_bytes(), gamma(exponent), chromaticities(*values))

    assert decode_image(data).pixels.shape == (3, 48, 64)


@pytest.mark.parametrize("kind", ["AVIF", "TIFF"])
@pytest.mark.parametrize("orientation", STORED)
def test_further_formats_are_turned(kind: str, orientation: int) -> None:
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](np.array(picture()))))
    exif = stored.getexif()
    exif[ORIENTATION] = orientation

    pixels = decode_image(image_bytes(stored, kind, exif=exif)).pixels

    assert np.abs(pixels.astype(float) - pixels_of(picture())).mean() < 12


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "CMYK"])
def test_tiffs_of_all_kinds(compression: str | None, mode: str) -> None:
    if (compression, mode) == ("jpeg", "P"):
        pytest.skip("not a palette's compression")
    image = picture().convert(mode)

    pixels = decode_image(image_bytes(image, "TIFF", compression=compression)).pixels

    assert np.abs(pixels.astype(float) - pixels_of(image)).mean() < 6


def test_the_first_page_of_a_tiff() -> None:
    pages = [Image.new("RGB", (40, 30), colour) for colour in ("red", "lime")]

    data = image_bytes(pages[0], "TIFF", save_all=True, append_images=pages[1:])

    assert decode_image(data).pixels.mean((1, 2)).tolist() == [255, 0, 0]


def test_floating_point_pixels_up_to_one() -> None:
    values = np.array([[0, 0.5, 1, np.nan]], np.float32)

    assert image_to_array(Image.fromarray(values))[0, 0].tolist() == [0, 127, 255, 0]


@pytest.mark.parametrize("kind", ["AVIF", "TIFF"])
def test_damaged_further_formats(kind: str) -> None:
    whole = image_bytes(picture(), kind)
    outcomes = {code_of(whole[: len(whole) // 2])}
    for data in damaged(whole):
        try:
            decode_image(data)
        except InputError as error:
            outcomes.add(error.code)

    assert outcomes <= {"not_an_image", "corrupt_image", "image_too_large"}


def test_heic_needs_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "_formats", lambda: images.IMAGE_FORMATS)
    data = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)

    with pytest.raises(InputError, match=r"\.\[heic\]") as caught:
        decode_image(data)
    assert caught.value.code == "unsupported_image"


@pytest.mark.skipif(importlib.util.find_spec("pillow_heif") is None, reason="needs the extra heic")
def test_heic() -> None:
    decode_image(image_bytes())  # registers the format
    pixels = decode_image(image_bytes(picture(), "HEIF", quality=95)).pixels

    assert np.abs(pixels.astype(float) - pixels_of(picture())).mean() < 12


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_large_images_are_shrunk(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = picture(640, 480)
    data = image_bytes(image, kind, **({"quality": 95} if kind == "JPEG" else {}))
    monkeypatch.setattr(images, "FULL_PIXELS", 640 * 480 // 4)

    pixels = decode_image(data).pixels

    assert pixels.shape == (3, 240, 320)
    assert np.abs(pixels.astype(float) - pixels_of(image.reduce(2))).mean() < 2


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("shrink", [1, 2])
def test_bands_make_a_whole(orientation: int, shrink: int, monkeypatch: pytest.MonkeyPatch) -> None:
    image = picture(65, 47)
    image.getexif()[ORIENTATION] = orientation
    whole = image_to_array(image, shrink)
    monkeypatch.setattr("omninet.model.media.pixels.BAND_PIXELS", 65 * 9)

    assert np.array_equal(image_to_array(image, shrink), whole)


def test_the_limit_of_images_that_are_decoded_whole() -> None:
    limits = MediaLimits(image_pixels=64 * 48, whole_image_pixels=64 * 48 - 1)

    assert decode_image(image_bytes(kind="JPEG"), limits).pixels.shape == (3, 48, 64)
    assert code_of(image_bytes(picture(), "JPEG", progressive=True), limits) == "image_too_large"
    assert code_of(image_bytes(), limits) == "image_too_large"
