"""Generator of damaged and disguised media files, deterministic for each seed."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from omninet.app.http.samples import STATIC
from tests.robustness.playlists import references
from tests.robustness.traffic import Upload
from tests.samples import CODECS, image_bytes, picture, video_bytes
from tests.sounds import encoded, tone

SAMPLES = STATIC / "samples"
CONTENT_TYPES = {
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "m3u8": "application/vnd.apple.mpegurl",
    "mpd": "application/dash+xml",
    "sdp": "application/sdp",
    "txt": "text/plain",
    "": "application/octet-stream",
}
TYPES = {"image": "image/jpeg", "video": "video/mp4", "audio": "audio/wav"}
SOUNDS = {
    "wav": ("wav", "pcm_s16le"),
    "flac": ("flac", "flac"),
    "ogg": ("ogg", "libopus"),
    "mp3": ("mp3", "libmp3lame"),
    "m4a": ("mp4", "aac"),
    "weba": ("webm", "libopus"),
}  # ending -> container and codec
Mutation = Callable[[random.Random, bytes, Mapping[str, bytes]], bytes]


def seeds() -> dict[str, bytes]:
    """Return intact files by name: the page's samples and one of every format."""
    found = {path.name: path.read_bytes() for path in sorted(SAMPLES.iterdir()) if path.suffix != ".md"}
    drawn = picture(320, 200)
    found |= {f"image.{kind.lower()}": image_bytes(drawn, kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP")}
    found["progressive.jpeg"] = image_bytes(drawn, "JPEG", progressive=True)
    found["turned.jpeg"] = image_bytes(drawn, "JPEG", exif=_turned())
    found |= {f"clip.{container}": video_bytes(container) for container in CODECS}
    sound = tone(1, 48_000)
    return found | {f"sound.{name}": encoded(sound, 48_000, *form) for name, form in SOUNDS.items()}


def kind_of(name: str) -> str:
    """Return the request field that an intact file is for: ``image``, ``video`` or ``audio``."""
    if name.startswith("sound"):
        return "audio"
    is_image = Path(name).suffix in {".jpg", ".jpeg", ".png", ".webp", ".bmp"} or name == "image.gif"
    return "image" if is_image else "video"


def mutated(count: int, seed: int = 0) -> Iterator[Upload]:
    """Yield ``count`` files with one to three mutations each, half of them with a wrong name and type."""
    generator, originals = random.Random(seed), seeds()
    for _ in range(count):
        name, data = generator.choice(sorted(originals.items()))
        steps = [generator.choice(sorted(MUTATIONS)) for _ in range(generator.randint(1, 3))]
        for step in steps:
            data = MUTATIONS[step](generator, data, originals)
        suffix = generator.choice(sorted(CONTENT_TYPES))
        note = f"{name}: {', '.join(steps)}"
        if generator.random() < 0.5:
            yield Upload(data, f"file.{suffix}" if suffix else "file", CONTENT_TYPES[suffix], note)
        else:
            yield Upload(data, name, TYPES[kind_of(name)], note)


def _cut(generator: random.Random, data: bytes, _: Mapping[str, bytes]) -> bytes:
    return data[: generator.randrange(len(data) + 1)]


def _cut_the_beginning(generator: random.Random, data: bytes, _: Mapping[str, bytes]) -> bytes:
    return data[generator.randrange(min(len(data), 4096) + 1) :]


def _flip(generator: random.Random, data: bytes, _: Mapping[str, bytes]) -> bytes:
    return _with_noise(generator, data, len(data), 2 ** generator.randrange(10))


def _flip_the_header(generator: random.Random, data: bytes, _: Mapping[str, bytes]) -> bytes:
    return _with_noise(generator, data, min(len(data), 512), 2 ** generator.randrange(6))


def _extreme_numbers(generator: random.Random, data: bytes, others: Mapping[str, bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(generator.randint(1, 4)):
        at = generator.randrange(len(data) + 1)
        value = generator.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\x80\0\0\0", b"\xff\xff"])
        changed[at : at + len(value)] = value
    return bytes(changed)


def _another_header(generator: random.Random, data: bytes, originals: Mapping[str, bytes]) -> bytes:
    length = 2 ** generator.randrange(2, 12)
    return originals[generator.choice(sorted(originals))][:length] + data[length:]


def _splice(generator: random.Random, data: bytes, originals: Mapping[str, bytes]) -> bytes:
    other = originals[generator.choice(sorted(originals))]
    return data[: generator.randrange(len(data) + 1)] + other[generator.randrange(len(other)) :]


def _repeat(generator: random.Random, data: bytes, _: Mapping[str, bytes]) -> bytes:
    start = generator.randrange(len(data) + 1)
    part = data[start : start + generator.randrange(1, 5000)]
    return data[:start] + part * generator.randint(2, 20) + data[start:]


def _blank(generator: random.Random, data: bytes, _: Mapping[str, bytes]) -> bytes:
    start = generator.randrange(len(data) + 1)
    length = min(len(data) - start, generator.randrange(1, 5000))
    return data[:start] + bytes([generator.choice([0, 255])]) * length + data[start + length :]


def _append(generator: random.Random, data: bytes, originals: Mapping[str, bytes]) -> bytes:
    return data + _companion(generator, originals)


def _prepend(generator: random.Random, data: bytes, originals: Mapping[str, bytes]) -> bytes:
    return _companion(generator, originals) + data


def _companion(generator: random.Random, originals: Mapping[str, bytes]) -> bytes:
    """Return the second half of a polyglot file: an archive, playlist, web page, picture or clip."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr("clip.mp4", originals["clip.mp4"])
    playlists = [text.encode() for text in references("http://127.0.0.1:9/clip.mp4").values()]
    page = b"<html><script>fetch('http://127.0.0.1:9')</script></html>"
    return generator.choice([archive.getvalue(), *playlists, page, originals[generator.choice(sorted(originals))]])


def _with_noise(generator: random.Random, data: bytes, within: int, count: int) -> bytes:
    changed = bytearray(data)
    for _ in range(count if within else 0):
        changed[generator.randrange(within)] = generator.randrange(256)
    return bytes(changed)


def _turned() -> bytes:
    exif = picture().getexif()
    exif[0x0112] = 6
    return exif.tobytes()


MUTATIONS: dict[str, Mutation] = {
    "another header": _another_header,
    "appended": _append,
    "beginning cut off": _cut_the_beginning,
    "blank part": _blank,
    "cut": _cut,
    "extreme numbers": _extreme_numbers,
    "noise": _flip,
    "noise in the header": _flip_the_header,
    "prepended": _prepend,
    "repeated part": _repeat,
    "spliced": _splice,
}
