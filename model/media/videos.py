"""Decode videos and sample RGB frames.

The bytes are untrusted. FFmpeg may use no protocol and only the demuxers listed below, so that playlists and session
descriptions cannot make it open files or network connections.
"""

from __future__ import annotations

import io
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from operator import itemgetter
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from omninet.model.config import Sampling
from omninet.model.errors import InputError
from omninet.model.media.limits import MediaLimits

VIDEO_DEMUXERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mpegts", "gif")
SEEK_BY_DECODING = {"avi", "mpegts"}  # these containers seek by decoding time, the others by presentation time
VIDEO_NAMES = "mp4, mov, webm, mkv, avi, mpeg-ts or gif"


@dataclass(frozen=True)
class Clip:
    """Frames sampled from a video.

    Attributes:
        frames: RGB, uint8, (F, 3, height, width).
        times: presentation time of each frame, seconds from the start of the clip.
        duration: length of the clip in seconds.
        truncated: True if the file ended early and only its readable part was sampled.
        fitted: True if the frames already have the square size of the backbone.
    """

    frames: np.ndarray
    times: tuple[float, ...]
    duration: float
    truncated: bool = False
    fitted: bool = False


def decode_video(
    data: bytes, frames: int = 16, limits: MediaLimits | None = None, sampling: Sampling = "spread"
) -> Clip:
    """Sample frames of a video; rotation metadata is applied.

    Only groups of pictures that contain a sampled frame are decoded.

    Args:
        frames: number of frames to sample.
        sampling: ``spread`` divides the clip into ``frames`` equal spans and takes the frame shown in the middle of
            each, so that variable frame rates are sampled by time; short clips repeat frames.
            ``stride`` takes the first ``frames`` of every fourth frame, as the authors' code does, or of every third,
            second or single frame if the clip is too short; shorter clips give fewer frames.

    Raises:
        InputError: ``empty_file``, ``not_a_video``, ``no_video_stream``, ``corrupt_video``,
            ``video_too_long`` or ``video_too_large``.
    """
    limits = limits or MediaLimits()
    if not data:
        raise InputError("empty_file", f"the video file is empty; send {VIDEO_NAMES}")
    with _open_video(data) as container:
        index = _index_packets(container, limits)
        cut = index.truncated or _ends_early(data, container.format.name)
    if sampling == "stride":
        wanted = index.times[:: _stride(len(index.times))][:frames]
    else:
        wanted = [index.shown_at((i + 0.5) / frames * index.duration) for i in range(frames)]
    pictures, damaged = _decode_at(data, index, wanted, limits)
    return Clip(
        frames=np.stack([pictures[time] for time in wanted]),
        times=tuple(float((time - index.times[0]) * index.time_base) for time in wanted),
        duration=index.duration,
        truncated=cut or damaged,
    )


def _stride(pictures: int) -> int:
    """Return the largest stride up to 4 that leaves more than 16 frames, else 1."""
    return next((stride for stride in (4, 3, 2) if pictures // stride > 16), 1)


@dataclass(frozen=True)
class _PacketIndex:
    """Presentation times of a stream's packets, in units of ``time_base``, sorted.

    Attributes:
        times: of all packets.
        keyframes: of the keyframes, each with the time by which the container seeks it.
        duration: in seconds.
        truncated: True if the file ended early.
    """

    times: list[int]
    keyframes: list[tuple[int, int]]
    time_base: Fraction
    duration: float
    truncated: bool

    def shown_at(self, seconds: float) -> int:
        """Return the time stamp of the frame that is shown ``seconds`` after the first frame."""
        target = self.times[0] + Fraction(seconds) / self.time_base
        return self.times[max(bisect_right(self.times, target) - 1, 0)]

    def keyframe_before(self, time: int) -> tuple[int, int]:
        """Return the latest keyframe at or before ``time``, or the first frame if there is none."""
        position = bisect_right(self.keyframes, time, key=itemgetter(0))
        return self.keyframes[position - 1] if position else (self.times[0], self.times[0])


def _open_video(data: bytes) -> InputContainer:
    options = {"protocol_whitelist": "none", "format_whitelist": ",".join(VIDEO_DEMUXERS)}
    try:
        # A buffer without a name and an explicit mode: FFmpeg gets bytes, never a path or URL.
        return av.open(io.BytesIO(data), mode="r", options=options)
    except (FFmpegError, ValueError, OSError) as error:
        raise _no_video() from error


def _no_video() -> InputError:
    return InputError("not_a_video", f"the file is not a readable video, or truncated; send {VIDEO_NAMES}")


def _video_stream(container: InputContainer) -> VideoStream:
    if not container.streams.video:
        if not container.streams.audio:
            raise _no_video()
        raise InputError("no_video_stream", "the file has only audio and no video stream; send a video")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise InputError(
            "corrupt_video", "the video's codec is not supported, or its header is damaged; send an intact file"
        )
    stream.codec_context.thread_count = 1
    return stream


def _index_packets(container: InputContainer, limits: MediaLimits) -> _PacketIndex:
    """Read the time stamps of a video stream without decoding it.

    Raises:
        InputError: see ``decode_video``.
    """
    stream = _video_stream(container)
    _check_frame_size(stream.codec_context.width, stream.codec_context.height, limits)
    times: list[int] = []
    keyframes: list[tuple[int, int]] = []
    by_decoding = container.format.name in SEEK_BY_DECODING
    last_duration = 0
    truncated = False
    try:
        for packet in container.demux(stream):
            time = packet.pts if packet.pts is not None else packet.dts
            if not packet.size or time is None:
                continue
            times.append(time)
            last_duration = packet.duration or last_duration
            if packet.is_keyframe:
                keyframes.append((time, packet.dts if by_decoding and packet.dts is not None else time))
    except (FFmpegError, ValueError):
        truncated = True
    if not times:
        raise InputError("corrupt_video", "the video has no readable frame; send an intact file")
    times, time_base = sorted(set(times)), stream.time_base or Fraction(1, 25)
    step = last_duration or (times[-1] - times[0]) // max(len(times) - 1, 1) or 1
    duration = float((times[-1] - times[0] + step) * time_base)
    if duration > limits.video_seconds:
        raise InputError(
            "video_too_long",
            f"the video lasts {duration:.0f} s; at most {limits.video_seconds:.0f} s are accepted",
            seconds=round(duration, 3),
            limit=limits.video_seconds,
        )
    truncated = truncated or _is_cut_short(container, stream, len(times), duration)
    return _PacketIndex(times, sorted(keyframes), time_base, duration, truncated)


def _is_cut_short(container: InputContainer, stream: VideoStream, pictures: int, duration: float) -> bool:
    """Return True if the header announces clearly more frames or time than the file has."""
    if stream.frames:
        return pictures < 0.95 * stream.frames
    only_stream = len(container.streams) == 1
    return only_stream and container.duration is not None and duration < 0.9 * container.duration / av.time_base


def _ends_early(data: bytes, demuxer: str) -> bool:
    """Return True if the end marker is missing, for containers whose header has no length."""
    if demuxer == "gif":
        return not data.rstrip(b"\0").endswith(b";")
    if demuxer.startswith("mov"):
        return _overruns(data)
    return demuxer == "mpegts" and len(data) % 188 != 0 and len(data) % 192 != 0


def _overruns(data: bytes) -> bool:
    """Return True if the last box of an mp4 extends beyond the end of the file."""
    position, kind = 0, b""
    while position + 16 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, position + 8)
        if size < 8:
            return False
        position += size
    return position > len(data) and kind in {b"mdat", b"moof", b"moov"}


def _check_frame_size(width: int, height: int, limits: MediaLimits) -> None:
    if width * height > limits.frame_pixels:
        raise InputError(
            "video_too_large",
            f"the video's frames have {width} x {height} pixels; at most {limits.frame_pixels} are accepted",
            width=width,
            height=height,
            limit=limits.frame_pixels,
        )


def _decode_at(
    data: bytes, index: _PacketIndex, wanted: list[int], limits: MediaLimits
) -> tuple[dict[int, np.ndarray], bool]:
    """Decode the frame at each wanted time stamp; return time stamp -> frame, and True if there was damage.

    Seeks first; decodes from the start if seeking fails.

    Raises:
        InputError: ``corrupt_video``, no frame can be decoded.
    """
    for may_seek in (True, False):
        with _open_video(data) as container:
            decoder = _Decoder(container, limits)
            pictures = decoder.pictures_at(sorted(set(wanted)), index if may_seek else None)
        if pictures is not None:
            return pictures, decoder.damaged
    raise InputError("corrupt_video", "no frame of the video can be decoded; send an intact file")


class _Decoder:
    """One forward pass over a container that skips groups of pictures without a wanted frame."""

    def __init__(self, container: InputContainer, limits: MediaLimits) -> None:
        self.container = container
        self.stream = _video_stream(container)
        self.limits = limits
        self.damaged = False
        self.decoded = 0
        self.form: tuple[int, int, int] | None = None  # width, height and quarter turns of the first frame

    def pictures_at(self, wanted: list[int], index: _PacketIndex | None) -> dict[int, np.ndarray] | None:
        """Return time stamp -> frame, or None if seeking by ``index`` overshot or no frame was decoded."""
        pictures: dict[int, np.ndarray] = {}
        frames = self._frames()
        shown: VideoFrame | None = None
        coming = next(frames, None)
        for time in wanted:
            key = index.keyframe_before(time) if index else None
            if key is not None and coming is not None and _time(coming) < key[0] and len(wanted) > 1:
                self.container.seek(key[1], stream=self.stream)
                frames = self._frames()
                shown, coming = None, next(frames, None)
            while coming is not None and _time(coming) <= time:
                shown, coming = coming, next(frames, None)
            if shown is None and index is None:
                shown = coming
            if shown is None:
                return None
            pictures[time] = self._to_rgb(shown)
        return pictures

    def _frames(self) -> Iterator[VideoFrame]:
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except (FFmpegError, ValueError):
                self.damaged = True
                return
            if packet is None:
                return
            try:
                yield from self._checked(packet.decode())
            except (FFmpegError, ValueError):
                self.damaged = True

    def _checked(self, frames: Iterable[Any]) -> Iterator[VideoFrame]:
        for frame in frames:
            self.decoded += 1
            if self.decoded > self.limits.decoded_frames:
                raise InputError(
                    "video_too_long",
                    f"sampling this video needs over {self.limits.decoded_frames} decoded frames; send a shorter clip",
                    limit=self.limits.decoded_frames,
                )
            _check_frame_size(frame.width, frame.height, self.limits)
            if frame.pts is not None:
                yield frame

    def _to_rgb(self, frame: VideoFrame) -> np.ndarray:
        """Convert to upright RGB, uint8 (3, height, width); frames of another size are scaled to that of the first."""
        self.form = self.form or (frame.width, frame.height, round(frame.rotation / 90) % 4)
        width, height, turns = self.form
        turned = np.rot90(frame.to_ndarray(format="rgb24", width=width, height=height), turns)
        return np.ascontiguousarray(turned.transpose(2, 0, 1))


def _time(frame: VideoFrame) -> int:
    assert frame.pts is not None
    return frame.pts
