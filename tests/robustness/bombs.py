"""Generators of decompression bombs: small files that decode to large data."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache

from PIL import Image

from tests.samples import image_bytes, video_bytes

CHUNK = 2**20


def zeros(count: int) -> bytes:
    """Return ``count`` zero bytes as a zlib stream, built from repeated compressed chunks."""

    def deflated(length: int, flush: int) -> bytes:
        compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
        return compressor.compress(bytes(length)) + compressor.flush(flush)

    whole, rest = divmod(count, CHUNK)
    sums = struct.pack(">I", (count % 65521) << 16 | 1)
    return b"\x78\xda" + deflated(CHUNK, zlib.Z_FULL_FLUSH) * whole + deflated(rest, zlib.Z_FINISH) + sums


def png(width: int, height: int, depth: int = 8, colours: int = 2, extra: bytes = b"") -> bytes:
    """Return a black PNG; ``colours`` is its colour type: 0 grey, 2 RGB, 6 RGBA."""
    line = 1 + (width * depth * {0: 1, 2: 3, 6: 4}[colours] + 7) // 8
    header = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    chunks = [chunk(b"IHDR", header), extra, chunk(b"IDAT", zeros(line * height)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@cache
def animation(kind: str, frames: int) -> bytes:
    """Return an animated image of many small frames."""
    pictures = [Image.new("L", (4, 4), n % 255) for n in range(frames)]
    return image_bytes(pictures[0], kind, save_all=True, append_images=pictures[1:], duration=20)


def gif_canvas(width: int, height: int) -> bytes:
    """Return a GIF with one frame that is smaller than the canvas."""
    data = bytearray(image_bytes(kind="GIF"))
    struct.pack_into("<HH", data, 6, width, height)
    return bytes(data)


def webp(width: int, height: int) -> bytes:
    """Return a WebP whose header declares the given size, at most 16384 pixels a side."""
    data = bytearray(image_bytes(kind="WEBP", lossless=True))
    struct.pack_into("<I", data, data.index(b"VP8L") + 9, width - 1 | height - 1 << 14)
    return bytes(data)


def sized(container: str, width: int, height: int) -> bytes:
    """Return an MP4 or WebM whose headers all declare the given size."""
    claimed = struct.pack(">HH", width, height)
    found = video_bytes(container, width=320, height=256)
    found = found.replace(struct.pack(">HH", 320, 256), claimed)
    found = found.replace(struct.pack(">HHHH", 320, 0, 256, 0), struct.pack(">HHHH", width, 0, height, 0))
    return found.replace(b"\xb0\x82\x01\x40\xba\x82\x01\x00", b"\xb0\x82%b\xba\x82%b" % (claimed[:2], claimed[2:]))


def vp8_sized(width: int, height: int) -> bytes:
    """Return a WebM whose frames and header declare the given size."""
    start = b"\x9d\x01\x2a"
    claimed = start + struct.pack("<HH", width, height)
    return sized("webm", width, height).replace(start + struct.pack("<HH", 320, 256), claimed)


def counted(data: bytes, samples: int) -> bytes:
    """Return an MP4 whose index declares the given number of samples of one size."""
    changed = bytearray(data)
    at = data.index(b"stsz")
    struct.pack_into(">II", changed, at + 8, 1, samples)
    at = data.index(b"stts")
    struct.pack_into(">II", changed, at + 12, samples, 1)
    return bytes(changed)


def many_scans(width: int, height: int, scans: int) -> bytes:
    """Return a progressive JPEG with its last scan repeated, each of which is a pass over all pixels."""
    data = image_bytes(Image.new("RGB", (width, height), "grey"), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    return data[:start] + data[start:-2] * scans + b"\xff\xd9"


def deep_exif(depth: int) -> bytes:
    """Return a JPEG with a cyclic chain of EXIF directories."""
    entry = struct.Struct("<HHII")
    size = 2 + entry.size + 4
    chain = b""
    for number in range(depth):
        following = 8 + (number + 1) % depth * size
        chain += struct.pack("<H", 1) + entry.pack(0x8769, 4, 1, following) + struct.pack("<I", following)
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + chain
    data = image_bytes(kind="JPEG")
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]


def large_exif(size: int) -> bytes:
    """Return a PNG with an EXIF directory that declares millions of values."""
    block = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x0112, 3, size // 2, 26, 0) + bytes(size)
    return png(64, 48, extra=chunk(b"eXIf", block))


# Rejected for their declared size or their cost.
IMAGE_BOMBS: dict[str, Callable[[], bytes]] = {
    "png 20000 x 20000": lambda: png(20_000, 20_000),
    "png 20000 x 20000, 1 bit": lambda: png(20_000, 20_000, 1, 0),
    "png 2000000000 x 1": lambda: png(2_000_000_000, 1, 1, 0),
    "png with a gigabyte of text": lambda: png(64, 48, extra=chunk(b"zTXt", b"a\0\0" + zeros(2**30))),
    "png with a gigabyte of colour profile": lambda: png(64, 48, extra=chunk(b"iCCP", b"a\0\0" + zeros(2**30))),
    "png that ends early": lambda: png(7_000, 7_000)[:30_000],
    "gif canvas 65535 x 65535": lambda: gif_canvas(65_535, 65_535),
    "webp 16383 x 16383": lambda: webp(16_383, 16_383),
    "jpeg of 3000 scans": lambda: many_scans(5_000, 5_000, 3_000),
}
VIDEO_BOMBS: dict[str, Callable[[], bytes]] = {
    "webm with a picture of 16383 x 16383": lambda: vp8_sized(16_383, 16_383),
    "webm of 9000 frames in one group": lambda: video_bytes("webm", 9_000, 16, 16, gop=9_000),
    "gif canvas 65535 x 65535": lambda: gif_canvas(65_535, 65_535),
    "gif of 20000 frames": lambda: animation("GIF", 20_000),
    "mp4 that claims 200000000 samples": lambda: counted(video_bytes("mp4"), 200_000_000),
    "matroska of zeros, 60 MB": lambda: b"\x1aE\xdf\xa3" + bytes(60 * CHUNK),
    "mpegts of null packets, 60 MB": lambda: (b"G\x1f\xff\x10" + bytes(184)) * (60 * CHUNK // 188),
}
# Harmless despite their declared size: decoded and answered.
HARMLESS_IMAGES: dict[str, Callable[[], bytes]] = {
    "png 7000 x 7000": lambda: png(7_000, 7_000),
    "png 7000 x 7000 of 64 bits": lambda: png(7_000, 7_000, 16, 6),
    "gif of 20000 frames": lambda: animation("GIF", 20_000),
    "apng of 5000 frames": lambda: animation("PNG", 5_000),
    "webp of 2000 frames": lambda: animation("WEBP", 2_000),
    "exif of 16 MB": lambda: large_exif(16 * CHUNK),
    "exif without an end": lambda: deep_exif(3_000),
}
HARMLESS_VIDEOS: dict[str, Callable[[], bytes]] = {
    "mp4 that claims 65535 x 65535": lambda: sized("mp4", 65_535, 65_535),
    "webm that claims 65535 x 65535": lambda: sized("webm", 65_535, 65_535),
    "mp4 of 9000 frames": lambda: video_bytes("mp4", 9_000, 16, 16),
}


def gzipped(size: int) -> bytes:
    """Return a gzip stream of ``size`` zero bytes, rounded down to whole chunks."""
    buffer = io.BytesIO()
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    for _ in range(size // CHUNK):
        buffer.write(compressor.compress(bytes(CHUNK)))
    buffer.write(compressor.flush())
    return buffer.getvalue()
