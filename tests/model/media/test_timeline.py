"""Frames and durations of the videos that people really send are those that players show."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest

from omninet.model.errors import InputError
from omninet.model.media.videos import decode_video
from tests.cases import case
from tests.model.media.painted import add_video, numbers, packets, painted_bytes, sampled
from tests.samples import image_bytes, video_bytes

REORDERED = [("mp4", "libx264"), ("avi", "mpeg4"), ("avi", "libx264"), ("matroska", "libx264"), ("mpegts", "libx264")]


@pytest.mark.parametrize(
    ("name", "shown", "seconds"),
    [
        ("editlist_start.mp4", sampled(45, 180), 1.5),
        ("editlist_tail.mp4", sampled(60), 2.0),
        ("mkv_start_30s.mkv", sampled(60), 2.0),
        ("ts_concat_restarting_pts.ts", sampled(120), 4.0),
        ("h264_bframes_short.avi", sampled(60), 2.0),
        ("two_video_default_second.mkv", sampled(60), 2.0),
        ("avi_dropped_frames.avi", [n // 3 * 3 for n in sampled(58)], 58 / 30),
    ],
)
def test_files_that_people_sent(name: str, shown: list[int], seconds: float) -> None:
    clip = decode_video(case(name))

    assert clip.duration == pytest.approx(seconds, abs=0.01)
    assert np.abs(np.subtract(numbers(clip), shown)).max() <= 1
    assert not clip.truncated


@pytest.mark.parametrize("b_frames", [0, 2, 3])
@pytest.mark.parametrize(("container", "codec"), REORDERED)
def test_frames_are_exact_although_they_are_reordered(container: str, codec: str, b_frames: int) -> None:
    clip = decode_video(painted_bytes(container, codec, 240, b_frames=b_frames))

    assert numbers(clip) == sampled(240)
    assert clip.duration == pytest.approx(8)
    assert not clip.truncated


@pytest.mark.parametrize("container", ["mp4", "mov", "matroska", "mpegts", "webm"])
@pytest.mark.parametrize("start", [0.5, 30, 4000])
def test_a_start_above_zero_is_neither_damage_nor_part_of_the_clip(container: str, start: float) -> None:
    clip = decode_video(painted_bytes(container, "libvpx" if container == "webm" else "libx264", start=start))

    assert numbers(clip) == sampled(60)
    assert clip.duration == pytest.approx(2, abs=0.002)
    assert not clip.truncated


@pytest.mark.parametrize(("container", "codec"), [("mp4", "libx264"), ("matroska", "libx264"), ("webm", "libvpx")])
def test_the_time_of_the_last_frame_counts(container: str, codec: str) -> None:
    clip = decode_video(painted_bytes(container, codec, 30, last=2))

    assert clip.duration == pytest.approx(29 / 30 + 2, abs=0.002)
    assert numbers(clip)[6:] == [29] * 10
    assert not clip.truncated


@pytest.mark.parametrize("b_frames", [0, 3])
@pytest.mark.parametrize("starts", [(0, 0), (0, 0, 0), (0, 3600), (3600, 0), (0, 95_000), (0, 5), (10, 14)])
@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_joined_transport_streams_are_one_clip(codec: str, starts: tuple[float, ...], b_frames: int) -> None:
    parts = [
        painted_bytes("mpegts", codec, 60, first=60 * i, start=start, b_frames=b_frames)
        for i, start in enumerate(starts)
    ]

    clip = decode_video(b"".join(parts))

    assert numbers(clip) == sampled(60 * len(parts))
    assert clip.duration == pytest.approx(2 * len(parts), abs=0.01)
    assert not clip.truncated


def two_streams(default: int, attached: bool = False) -> bytes:
    """Return a Matroska file with a small and a painted video stream."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as output:
        streams = [add_video(output, "libx264", size=size) for size in ((32, 32), (128, 64))]
        for i, stream in enumerate(streams):
            stream.disposition = av.stream.Disposition.default if i == default else av.stream.Disposition(0)
        for stream in streams:
            output.mux(packets(stream, 60))
    return buffer.getvalue()


@pytest.mark.parametrize(("default", "width"), [(0, 32), (1, 128), (-1, 32)])
def test_the_default_stream_is_shown(default: int, width: int) -> None:
    assert decode_video(two_streams(default), 2).frames.shape[3] == width


def with_cover(video: bool) -> bytes:
    """Return an audio or video file with an attached picture."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as output:
        cover = output.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        audio = output.add_stream("aac", rate=8000, layout="mono")
        shown = add_video(output, "libx264") if video else None
        packet = av.Packet(image_bytes(kind="JPEG"))
        packet.stream, packet.pts, packet.dts, packet.is_keyframe = cover, 0, 0, True
        output.mux(packet)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        output.mux([*audio.encode(frame), *audio.encode()])
        if shown:
            output.mux(packets(shown, 60))
    return buffer.getvalue()


def test_a_cover_is_not_a_video() -> None:
    assert numbers(decode_video(with_cover(video=True))) == sampled(60)
    with pytest.raises(InputError) as caught:
        decode_video(with_cover(video=False))
    assert caught.value.code == "no_video_stream"


@pytest.mark.parametrize("rest", [b"", b"\0", b"\n", b"\0\0\0", b"trailing; bytes", b"!"])
def test_bytes_after_a_gif_are_no_damage(rest: bytes) -> None:
    data = painted_bytes("gif", "gif", 12)

    assert not decode_video(data + rest).truncated
    assert decode_video(data[: len(data) * 2 // 3] + rest).truncated
    assert decode_video(data[: len(data) - 1]).truncated


@pytest.mark.parametrize("every", [2, 3, 5])
def test_dropped_frames_of_an_avi_are_no_damage(every: int) -> None:
    clip = decode_video(video_bytes("avi", frames=20, times=[every * i for i in range(20)]))

    assert not clip.truncated
    assert clip.duration == pytest.approx((19 * every + 1) / 24)
