"""Time stamps of the packets of a video stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from omninet.model.media.errors import STREAM_ERRORS

# Seconds without a frame of a transport stream above which its time stamps are taken to jump: anywhere, and before a
# keyframe if frames were evenly spaced.
LARGEST_GAP, LARGEST_GAP_BEFORE_KEYFRAME = 10, 1
NOMINAL_STEP = Fraction(1, 25)  # seconds between frames where nothing else is known


@dataclass(frozen=True)
class Stamp:
    """A packet without its data; times are in units of the stream's time base.

    Attributes:
        shown: when its frame is shown, or None if the container does not say.
        decoded: when its frame is decoded.
        duration: time until the next packet; 0 if unknown.
        keyframe: True if decoding can start here.
        hidden: True if an edit list leaves the frame out.
    """

    shown: int | None
    decoded: int
    duration: int
    keyframe: bool
    hidden: bool

    @property
    def time(self) -> int:
        """When the frame is shown, as far as known."""
        return self.decoded if self.shown is None else self.shown


class Joiner:
    """Shifts the time stamps of joined transport streams, so that each part continues where the one before ended.

    A part starts where decoding times go back or jump ahead.

    Attributes:
        joined: True if a part was shifted.
    """

    def __init__(self, container: InputContainer) -> None:
        self.joined = False
        self._applies = container.format.name == "mpegts"
        self._shift = self._step = self._widest = 0
        self._last: int | None = None

    def shifted(self, packets: Iterable[Packet[VideoStream]]) -> Iterator[Packet[VideoStream]]:
        """Yield the packets of a stream with continuous time stamps."""
        for packet in packets:
            now = packet.dts if packet.dts is not None else packet.pts
            if self._applies and now is not None:
                self._follow(packet, now)
            if self._shift:
                packet.pts = None if packet.pts is None else packet.pts + self._shift
                packet.dts = None if packet.dts is None else packet.dts + self._shift
            yield packet

    def _follow(self, packet: Packet[VideoStream], now: int) -> None:
        """Change the shift if a packet, decoded ``now`` by its own time stamp, starts a part."""
        gap = 0 if self._last is None else now - self._last
        if gap < 0 or self._is_jump(gap, packet):
            self._shift += self._step - gap
            self.joined = True
        else:
            self._widest = max(self._widest, gap)
        self._last = now
        self._step = packet.duration or self._step or int(NOMINAL_STEP / packet.time_base)

    def _is_jump(self, gap: int, packet: Packet[VideoStream]) -> bool:
        if gap * packet.time_base > LARGEST_GAP:
            return True
        even = 0 < 4 * self._widest < gap
        return packet.is_keyframe and even and gap * packet.time_base > LARGEST_GAP_BEFORE_KEYFRAME


def read_stamps(container: InputContainer, packets: Iterable[Packet[VideoStream]]) -> tuple[list[Stamp], bool]:
    """Return the time stamps of packets in the order of the file, and True if a packet could not be read."""
    # The presentation times that FFmpeg makes up for an AVI are in the order of decoding.
    ordered = container.format.name != "avi"
    found: list[Stamp] = []
    try:
        for packet in packets:
            decoded = packet.dts if packet.dts is not None else packet.pts
            if packet.size and decoded is not None:
                shown = packet.pts if ordered else None
                found.append(Stamp(shown, decoded, packet.duration or 0, packet.is_keyframe, packet.is_discard))
    except STREAM_ERRORS:
        return found, True
    return found, False
