"""HDR and wide-gamut clips are shown as their sRGB twins."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from omninet.model.media.colour import BT709, BT2020, DISPLAY_P3, HLG, PQ, Coding, to_srgb
from omninet.model.media.videos import decode_video
from tests.cases import case
from tests.samples import picture

# Columns: linear light of sRGB's red, green and blue in other primaries (ITU-R BT.2087, SMPTE EG 432-1).
FROM_SRGB = {
    BT709: np.eye(3),
    BT2020: np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]),
    DISPLAY_P3: np.array([[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]]),
}
CODINGS = [Coding(BT2020, HLG), Coding(BT2020, PQ), Coding(DISPLAY_P3, PQ), Coding(BT2020, 14), Coding(DISPLAY_P3, 1)]


def coded(pixels: np.ndarray, coding: Coding) -> np.ndarray:
    """Return sRGB pixels in another coding, from 0 to 1; white is HDR reference white."""
    values = pixels / 255
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    light = np.clip(light @ FROM_SRGB[coding.primaries].T, 0, None)
    if coding.transfer == PQ:
        power = (light * 203 / 10_000) ** 0.1593017578125
        return np.asarray(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)
    if coding.transfer == HLG:
        scene = light * 0.26496256
        logarithm = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        return np.asarray(np.where(scene <= 1 / 12, np.sqrt(3 * scene), logarithm))
    return np.asarray(np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055))


def colours() -> np.ndarray:
    """Return a smooth picture of many colours, (48, 64, 3)."""
    noise = np.random.default_rng(0).integers(0, 230, (6, 8, 3), dtype=np.uint8)
    return np.array(Image.fromarray(noise).resize((64, 48), Image.Resampling.BICUBIC))


def clip_of(values: np.ndarray, coding: Coding, matrix: int = 9, full_range: bool = False) -> bytes:
    """Return a 10-bit clip of one frame.

    Args:
        values: coded RGB, from 0 to 1.
        matrix: of luma and chroma, as numbered in ITU-T H.273.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as output:
        stream: Any = output.add_stream("libx264", rate=10, options={"qp": "4"})
        stream.height, stream.width = values.shape[:2]
        stream.pix_fmt = "yuv444p10le"
        stream.color_primaries, stream.color_trc, stream.colorspace = coding.primaries, coding.transfer, matrix
        stream.color_range = 2 if full_range else 1
        deep = av.VideoFrame.from_ndarray(np.round(values * 65535).astype(np.uint16), format="rgb48le")
        frame = deep.reformat(
            format="yuv444p10le", dst_colorspace=matrix, dst_color_range=stream.color_range, src_color_range=2
        )
        frame.color_primaries, frame.color_trc, frame.colorspace = coding.primaries, coding.transfer, matrix
        frame.pts, frame.time_base = 0, Fraction(1, 10)
        output.mux([*stream.encode(frame), *stream.encode()])
    return buffer.getvalue()


def difference(frame: np.ndarray, pixels: np.ndarray) -> float:
    """Return the mean absolute difference of a frame (3, height, width) and pixels (height, width, 3)."""
    return float(np.abs(frame.transpose(1, 2, 0).astype(float) - pixels).mean())


@pytest.mark.parametrize("coding", CODINGS)
def test_the_sdr_twin_of_a_clip(coding: Coding) -> None:
    clip = decode_video(clip_of(coded(colours(), coding), coding), 1)

    assert difference(clip.frames[0], colours()) < 2


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", [1, 5, 6, 9])
def test_matrix_and_range_of_a_clip(matrix: int, full_range: bool) -> None:
    coding = Coding(BT709, 1)
    clip = decode_video(clip_of(colours() / 255, coding, matrix, full_range), 1)

    assert difference(clip.frames[0], colours()) < 1.5


def test_the_hlg_clip_that_people_sent() -> None:
    hdr, sdr = (decode_video(case(f"hdr_{name}.mp4"), 1).frames[0].astype(float) for name in ("hlg", "sdr"))

    assert np.abs(hdr.mean((1, 2)) - (135, 166, 148)).max() < 3
    assert np.abs(hdr - sdr).mean() < 3


@pytest.mark.parametrize("transfer", [HLG, PQ])
def test_highlights_keep_their_order(transfer: int) -> None:
    levels = np.linspace(0, 255, 256).astype(np.uint8)
    ramp = to_srgb(np.repeat(levels[None, :, None], 3, 2), Coding(BT2020, transfer))[0].astype(int)

    assert np.diff(ramp, axis=0).min() >= -1
    assert np.ptp(ramp, axis=1).max() <= 2
    assert ramp[0].max() == 0
    assert ramp[-1].min() > 250


@pytest.mark.parametrize("coding", [Coding(2, 2), Coding(BT709, 1), Coding(5, 6), Coding(6, 13), Coding(0, 255)])
def test_ordinary_colours_are_not_touched(coding: Coding) -> None:
    pixels = np.array(picture())

    assert to_srgb(pixels, coding) is pixels
