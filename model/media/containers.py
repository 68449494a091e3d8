"""Open containers of videos and sounds, and find out whether they are whole.

The bytes are untrusted. FFmpeg may use no protocol and only the demuxers listed below, so that playlists and session
descriptions cannot make it open files or network connections.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import TypeVar

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream

from omninet.model.errors import InputError
from omninet.model.media.limits import MediaLimits

S = TypeVar("S", VideoStream, AudioStream)

VIDEO_DEMUXERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mpegts", "gif")
VIDEO_NAMES = "mp4, mov, webm, mkv, avi, mpeg-ts or gif"
AUDIO_DEMUXERS = ("wav", "flac", "ogg", "mp3", "aac", *VIDEO_DEMUXERS)
AUDIO_NAMES = "wav, flac, ogg, mp3, m4a, webm, or a video with sound"
SEGMENT = b"\x18\x53\x80\x67"  # the Matroska element that contains all others
UNKNOWN_SIZE = 0xFFFFFFFF - 8  # of a WAV, or above
GIF_EXTENSION, GIF_IMAGE, GIF_TRAILER = 0x21, 0x2C, 0x3B


def open_video(data: bytes) -> InputContainer:
    """Open a video from memory.

    Raises:
        InputError: ``not_a_video``.
    """
    return _opened(data, VIDEO_DEMUXERS, _no_video())


def open_audio(data: bytes) -> InputContainer:
    """Open a recording, or a video with sound, from memory.

    Raises:
        InputError: ``not_audio``.
    """
    return _opened(data, AUDIO_DEMUXERS, _no_audio())


def _opened(data: bytes, demuxers: Sequence[str], otherwise: InputError) -> InputContainer:
    options = {"protocol_whitelist": "none", "format_whitelist": ",".join(demuxers)}
    try:
        # A buffer without a name and an explicit mode: FFmpeg gets bytes, never a path or URL.
        return av.open(io.BytesIO(data), mode="r", options=options)
    except (FFmpegError, ValueError, OSError) as error:
        raise otherwise from error


def _no_audio() -> InputError:
    return InputError("not_audio", f"the file is not a readable recording, or truncated; send {AUDIO_NAMES}")


def _no_video() -> InputError:
    return InputError("not_a_video", f"the file is not a readable video, or truncated; send {VIDEO_NAMES}")


def video_stream(container: InputContainer) -> VideoStream:
    """Return the video stream that players show: the first that is marked as default, else the first.

    Pictures attached to audio, such as the cover of an album, are not videos.

    Raises:
        InputError: ``not_a_video``, ``no_video_stream`` or ``corrupt_video``.
    """
    videos = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not videos:
        if not container.streams.audio:
            raise _no_video()
        raise InputError("no_video_stream", "the file has only audio and no video stream; send a video")
    message = "the video's codec is not supported, or its header is damaged; send an intact file"
    return _played(videos, InputError("corrupt_video", message))


def audio_stream(container: InputContainer) -> AudioStream:
    """Return the sound that players play: the first stream that is marked as default, else the first.

    Raises:
        InputError: ``no_audio_stream``, ``not_audio`` or ``corrupt_audio``.
    """
    sounds = container.streams.audio
    if not sounds:
        if not container.streams.video:
            raise _no_audio()
        raise InputError("no_audio_stream", "the file has only pictures and no sound; send a recording")
    message = "the recording's codec is not supported, or its header is damaged; send an intact file"
    return _played(sounds, InputError("corrupt_audio", message))


def _played(streams: Sequence[S], otherwise: InputError) -> S:
    """Return the stream that is marked as default, else the first, to be decoded by one thread.

    Raises:
        InputError: ``otherwise``, it has no decoder.
    """
    stream = next((stream for stream in streams if stream.disposition & Disposition.default), streams[0])
    if stream.codec_context is None:
        raise otherwise
    stream.codec_context.thread_count = 1
    return stream


def check_frame_size(width: int, height: int, limits: MediaLimits) -> None:
    """Compare the size of a frame with its limit.

    Raises:
        InputError: ``video_too_large``.
    """
    if width * height > limits.frame_pixels:
        raise InputError(
            "video_too_large",
            f"the video's frames have {width} x {height} pixels; at most {limits.frame_pixels} are accepted",
            width=width,
            height=height,
            limit=limits.frame_pixels,
        )


def ends_early(data: bytes, demuxer: str) -> bool | None:
    """Return True if the structure of a container extends beyond the end of the file, None if it does not say."""
    if demuxer == "gif":
        return _gif_ends_early(data)
    if demuxer in {"avi", "wav"}:
        return _riff_ends_early(data)
    if demuxer == "mpegts":
        return len(data) % 188 != 0 and len(data) % 192 != 0
    if demuxer.startswith("matroska"):
        return _segment_ends_early(data)
    return _boxes_end_early(data) if demuxer.startswith("mov") else None


def _gif_ends_early(data: bytes) -> bool:
    """Walk the blocks of a GIF; bytes after the trailer are ignored, as by browsers."""
    position = 13 + _colour_table(data, 10)
    while position < len(data):
        kind = data[position]
        if kind == GIF_TRAILER:
            return False
        if kind == GIF_EXTENSION:
            position += 2
        elif kind == GIF_IMAGE:
            position += 11 + _colour_table(data, position + 9)
        else:
            position += 1  # FFmpeg skips bytes between blocks
            continue
        while position < len(data) and data[position]:
            position += 1 + data[position]
        position += 1
    return True


def _colour_table(data: bytes, flags: int) -> int:
    """Return the size in bytes of the colour table that the flags at a position of a GIF announce."""
    if flags >= len(data) or not data[flags] & 0x80:
        return 0
    return int(3 << (data[flags] & 7) + 1)


def _riff_ends_early(data: bytes) -> bool | None:
    """Compare the size of an AVI or WAV with that in its header; streams leave 0 or the maximum there."""
    (size,) = struct.unpack_from("<I", data, 4)
    return size + 8 > len(data) if 0 < size < UNKNOWN_SIZE else None


def _segment_ends_early(data: bytes) -> bool | None:
    """Compare the size of a Matroska file with that of its segment; streams have one of unknown size."""
    position = data.find(SEGMENT, 0, 4096) + len(SEGMENT)
    if position < len(SEGMENT) or position >= len(data) or not data[position]:
        return None
    length = 9 - data[position].bit_length()
    unknown = (1 << 7 * length) - 1
    size = int.from_bytes(data[position : position + length], "big") & unknown
    return None if size == unknown else position + length + size > len(data)


def _boxes_end_early(data: bytes) -> bool | None:
    """Return True if the last box of an mp4 extends beyond the end of the file; fragments may be missing after it."""
    position, kind, fragments = 0, b"", False
    while position + 16 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, position + 8)
        fragments = fragments or kind == b"moof"
        if size < 8:
            return None
        position += size
    cut = position > len(data) and kind in {b"mdat", b"moof", b"moov"}
    return None if fragments and not cut else cut
