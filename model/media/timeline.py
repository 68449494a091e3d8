"""When the frames of a video are shown, read from its packets without decoding them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from operator import itemgetter

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from omninet.model.errors import InputError
from omninet.model.media.containers import check_frame_size, ends_early, video_stream
from omninet.model.media.limits import MediaLimits
from omninet.model.media.packets import NOMINAL_STEP, Joiner, Stamp, read_stamps

SEEK_BY_DECODING = {"avi", "mpegts"}  # these containers seek by decoding time, the others by presentation time


@dataclass(frozen=True)
class Timeline:
    """Times at which the frames of a stream are shown, in units of ``time_base``, sorted.

    Attributes:
        times: of all frames.
        keyframes: of the keyframes, each with the time by which the container seeks it.
        time_base: unit of all times, in seconds.
        duration: in seconds.
        truncated: True if the file ended early.
        joined: True if time stamps restart or jump, so that the container cannot seek by them.
        decoding: decoding times of all packets, sorted, if they have no presentation times: the n-th frame that is
            shown has the n-th of ``times``.
        delay: packets that the decoder takes before it returns the first frame, if they have no presentation times.
    """

    times: list[int]
    keyframes: list[tuple[int, int]]
    time_base: Fraction
    duration: float
    truncated: bool = False
    joined: bool = False
    decoding: Sequence[int] = ()
    delay: int = 0

    def shown_at(self, seconds: float) -> int:
        """Return the time stamp of the frame that is shown ``seconds`` after the first frame."""
        target = self.times[0] + Fraction(seconds) / self.time_base
        return self.times[max(bisect_right(self.times, target) - 1, 0)]

    def keyframe_before(self, time: int) -> tuple[int, int]:
        """Return the latest keyframe at or before ``time``, or the first frame if there is none."""
        position = bisect_right(self.keyframes, time, key=itemgetter(0))
        return self.keyframes[position - 1] if position else (self.times[0], self.times[0])


def read_timeline(container: InputContainer, data: bytes, limits: MediaLimits) -> Timeline:
    """Read the time stamps of the video stream of a container.

    Args:
        data: bytes of the container.

    Raises:
        InputError: ``not_a_video``, ``no_video_stream``, ``corrupt_video``, ``video_too_long`` or ``video_too_large``.
    """
    stream, joiner = video_stream(container), Joiner(container)
    check_frame_size(stream.codec_context.width, stream.codec_context.height, limits)
    stamps, failed = read_stamps(container, joiner.shifted(container.demux(stream)))
    times = sorted({stamp.time for stamp in stamps if not stamp.hidden})
    if not times:
        raise InputError("corrupt_video", "the video has no readable frame; send an intact file")
    step, time_base = _step(stamps), stream.time_base or NOMINAL_STEP
    end = times[-1] + step
    cut = failed or _is_cut(container, data, float(end * time_base))
    if not cut:
        end = _announced_end(container, stream, times[-1], end, step)
    if container.format.name.startswith("mov"):
        times, end = _without_gap(stamps, times, end, step)
    duration = float((end - times[0]) * time_base)
    _check_duration(duration, limits)
    by_decoding = container.format.name in SEEK_BY_DECODING
    keyframes = sorted((stamp.time, stamp.decoded if by_decoding else stamp.time) for stamp in stamps if stamp.keyframe)
    timeline = Timeline(times, keyframes, time_base, duration, cut, joiner.joined)
    if any(stamp.shown is None for stamp in stamps):
        return _numbered(timeline, stamps, step, _delay(container, stream, stamps[0]))
    return timeline


def _step(stamps: Sequence[Stamp]) -> int:
    """Return how long a frame is shown, by the last packet that says so."""
    known = next((stamp.duration for stamp in reversed(stamps) if stamp.duration), 0)
    times = [stamp.time for stamp in stamps]
    return known or (max(times) - min(times)) // max(len(times) - 1, 1) or 1


def _is_cut(container: InputContainer, data: bytes, end: float) -> bool:
    """Return True if the file is shorter than its structure says, or its only stream than its header says."""
    cut = ends_early(data, container.format.name)
    if cut is not None:
        return cut
    only_stream = len(container.streams) == 1
    return only_stream and container.duration is not None and end < 0.9 * container.duration / av.time_base


def _announced_end(container: InputContainer, stream: VideoStream, last: int, end: int, step: int) -> int:
    """Return when the header says that the stream ends, which counts for how long its last frame is shown.

    Args:
        last: when the last frame is shown.
        end: when the stream ends by its packets; returned if the header says nothing else, or differs by less than half
            a frame, as rounded times do.
    """
    name, announced = container.format.name, 0
    if name.startswith("matroska") and len(container.streams) == 1 and stream.time_base:
        announced = int(Fraction(container.duration or 0, av.time_base) / stream.time_base)
    elif name.startswith(("avi", "mov")) and stream.duration:
        announced = (stream.start_time or 0) + stream.duration
    return announced if announced > last and abs(announced - end) > step / 2 else end


def _without_gap(stamps: Sequence[Stamp], times: list[int], end: int, step: int) -> tuple[list[int], int]:
    """Return when frames are shown and when the last one ends, without those at the end that are there only in part.

    A clip that was trimmed without re-encoding ends in the order of decoding: frames that are shown after the time at
    which its last packet is decoded may be missing between others. Where packets are evenly spaced, a gap tells so.
    """
    whole = stamps[-1].decoded + step
    late = [time for time in times if time >= whole]
    even = not stamps[-1].hidden and all(stamp.duration == step for stamp in stamps)
    if not even or len(late) == len(times) or late == [whole + i * step for i in range(len(late))]:
        return times, end
    return times[: -len(late)], whole


def _check_duration(seconds: float, limits: MediaLimits) -> None:
    if seconds > limits.video_seconds:
        raise InputError(
            "video_too_long",
            f"the video lasts {seconds:.0f} s; at most {limits.video_seconds:.0f} s are accepted",
            seconds=round(seconds, 3),
            limit=limits.video_seconds,
        )


def _numbered(timeline: Timeline, stamps: Sequence[Stamp], step: int, delay: int) -> Timeline:
    """Return the timeline of a stream without presentation times.

    Its n-th frame is shown when the decoder returns it, which is ``delay`` packets after its n-th packet.
    """
    decoding = sorted(stamp.decoded for stamp in stamps)
    delay = min(delay, len(decoding) - 1)
    times = decoding[delay:] + [decoding[-1] + (i + 1) * step for i in range(delay)]
    # A keyframe is shown up to ``delay`` frames later, after frames that are decoded after it.
    places = [bisect_left(decoding, seek) for _, seek in timeline.keyframes]
    keyframes = [
        (times[min(place + delay, len(times) - 1)], seek)
        for place, (_, seek) in zip(places, timeline.keyframes, strict=True)
    ]
    return replace(timeline, times=times, keyframes=keyframes, decoding=decoding, delay=delay)


def _delay(container: InputContainer, stream: VideoStream, first: Stamp) -> int:
    """Return after how many further packets the decoder returns the first frame; 0 if it returns none."""
    if not stream.codec_context.has_b_frames:
        return 0
    with suppress(FFmpegError, ValueError):
        container.seek(first.decoded, stream=stream)
        packets = (packet for packet in container.demux(stream) if packet.size)
        for fed, packet in enumerate(packets):
            if packet.decode():
                return fed
    return 0
