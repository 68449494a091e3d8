"""Decode the frames of a video that are shown at given times."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame

from omninet.model.errors import InputError
from omninet.model.media.colour import Coding, to_srgb
from omninet.model.media.containers import check_frame_size, open_video, video_stream
from omninet.model.media.errors import STREAM_ERRORS
from omninet.model.media.limits import MediaLimits
from omninet.model.media.orientation import Orientation, orientation_of, upright
from omninet.model.media.packets import Joiner
from omninet.model.media.timeline import Timeline

Fit = Callable[[np.ndarray], np.ndarray]
GROUP_PIXELS = 2**21  # of frames that are fitted together: several small ones, or one large one


def decode_at(
    data: bytes, timeline: Timeline, wanted: list[int], limits: MediaLimits, fit: Fit
) -> tuple[np.ndarray, bool]:
    """Decode a frame for each wanted time stamp, in ascending order; return frames, and True if there was damage.

    Seeks first; decodes from the start if seeking fails.

    Args:
        fit: applied to frames, uint8 RGB (t, 3, height, width), as soon as a few megapixels are decoded.

    Raises:
        InputError: ``corrupt_video``, no frame can be decoded; ``video_too_long`` or ``video_too_large``.
    """
    for may_seek in (False,) if timeline.joined else (True, False):
        with open_video(data) as container:
            decoder = FrameDecoder(container, timeline, limits, fit)
            frames = decoder.pictures_at(wanted, may_seek)
        if frames is not None:
            return frames, decoder.damaged
    raise InputError("corrupt_video", "no frame of the video can be decoded; send an intact file")


class FrameDecoder:
    """One forward pass over a container that skips groups of pictures without a wanted frame."""

    def __init__(self, container: InputContainer, timeline: Timeline, limits: MediaLimits, fit: Fit) -> None:
        self.container = container
        self.stream = video_stream(container)
        self.timeline = timeline
        self.limits = limits
        self.fit = fit
        self.damaged = False
        self.decoded = 0
        self.form: tuple[int, int, Orientation, Coding] | None = None  # of the first frame

    def pictures_at(self, wanted: list[int], may_seek: bool) -> np.ndarray | None:
        """Return a frame for each time stamp, or None if seeking overshot or no frame was decoded."""
        fitted: list[np.ndarray] = []
        waiting: list[np.ndarray] = []
        frames = self._frames()
        shown: VideoFrame | None = None
        coming = next(frames, None)
        for time in wanted:
            key = self.timeline.keyframe_before(time) if may_seek else None
            if key is not None and coming is not None and _time(coming) < key[0] and len(wanted) > 1:
                self.container.seek(key[1], stream=self.stream)
                frames = self._frames()
                shown, coming = None, next(frames, None)
            while coming is not None and _time(coming) <= time:
                shown, coming = coming, next(frames, None)
            if shown is None and not may_seek:
                shown = coming
            if shown is None:
                return None
            waiting.append(self._to_rgb(shown))
            if len(waiting) * waiting[0].size > 3 * GROUP_PIXELS:
                fitted.append(self.fit(np.stack(waiting)))
                waiting.clear()
        if waiting:
            fitted.append(self.fit(np.stack(waiting)))
        return fitted[0] if len(fitted) == 1 else np.concatenate(fitted)

    def _frames(self) -> Iterator[VideoFrame]:
        """Decode from the current position; frames without presentation times get those of their places."""
        packets = Joiner(self.container).shifted(self.container.demux(self.stream))
        fed, place = 0, -1  # place of the last packet in the order of decoding, and of the last frame as shown
        while True:
            try:
                packet = next(packets, None)
            except STREAM_ERRORS:
                self.damaged = True
                return
            if packet is None:
                return
            if packet.dts is not None:
                fed = bisect_left(self.timeline.decoding, packet.dts)
            try:
                for frame in self._checked(packet.decode()):
                    if self.timeline.decoding:
                        place = max(place + 1, fed - self.timeline.delay)
                        frame.pts = self.timeline.times[min(place, len(self.timeline.times) - 1)]
                    if frame.pts is not None:
                        yield frame
            except STREAM_ERRORS:
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
            check_frame_size(frame.width, frame.height, self.limits)
            yield frame

    def _to_rgb(self, frame: VideoFrame) -> np.ndarray:
        """Convert to upright sRGB, uint8 (3, height, width); frames of another size are scaled to that of the first."""
        if self.form is None:
            context = self.stream.codec_context
            coding = Coding(context.color_primaries, context.color_trc)
            self.form = frame.width, frame.height, orientation_of(frame), coding
        width, height, orientation, coding = self.form
        pixels = frame.to_ndarray(format="rgb24", width=width, height=height)
        return upright(to_srgb(pixels, coding), orientation)


def _time(frame: VideoFrame) -> int:
    assert frame.pts is not None
    return frame.pts
