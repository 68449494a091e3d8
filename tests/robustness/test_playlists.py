"""Tests with files that refer to other files or addresses."""

from __future__ import annotations

import ctypes
import os
import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import av
import pytest

from tests.robustness.conftest import Scale, SummaryTable
from tests.robustness.mutations import CONTENT_TYPES
from tests.robustness.playlists import addresses, references, session
from tests.robustness.server import Server
from tests.robustness.traffic import MEDIA_PATHS, Upload, ask, outcomes, send_all
from tests.samples import image_bytes, video_bytes

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
HANG_SECONDS = 10
IN_OPEN = 0x20  # of inotify(7)


class Traps:
    """A TCP port, a UDP port and a clip that detect any access."""

    def __init__(self, folder: Path) -> None:
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(type=socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.canary = folder / "canary.mp4"
        self.canary.write_bytes(video_bytes("mp4"))
        libc = ctypes.CDLL(None, use_errno=True)
        self.opened = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(self.opened, os.fsencode(self.canary), IN_OPEN) >= 0
        self.tcp.setblocking(False)
        self.udp.setblocking(False)

    def sprung(self) -> set[str]:
        """Return which traps have been accessed since the last call."""
        found = set()
        with suppress(BlockingIOError):
            self.tcp.accept()[0].close()
            found.add("tcp")
        with suppress(BlockingIOError):
            self.udp.recv(2**16)
            found.add("udp")
        with suppress(BlockingIOError):
            os.read(self.opened, 2**16)
            found.add("canary")
        return found

    def close(self) -> None:
        self.tcp.close()
        self.udp.close()
        os.close(self.opened)

    def texts(self) -> dict[str, bytes]:
        """Return all files that refer to the traps, by name."""
        tcp, udp = self.tcp.getsockname()[1], self.udp.getsockname()[1]
        found = {
            f"{playlist} to {scheme}": text.encode()
            for scheme, address in addresses(tcp, udp, str(self.canary)).items()
            for playlist, text in references(address).items()
        }
        return found | {"sdp": session(udp).encode()}


@pytest.fixture
def traps(tmp_path: Path) -> Iterator[Traps]:
    found = Traps(tmp_path)
    yield found
    found.close()


def test_traps_detect_access(traps: Traps, tmp_path: Path) -> None:
    texts = traps.texts()
    for name, suffix in (("concat to path", "ffconcat"), ("hls to http", "m3u8")):
        path = tmp_path / f"list.{suffix}"
        path.write_bytes(texts[name])
        with suppress(av.FFmpegError, OSError):
            av.open(str(path), options={"safe": "0", "protocol_whitelist": "file,http,tcp"}, timeout=1).close()
    with socket.socket(type=socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"hello", traps.udp.getsockname())

    assert traps.sprung() == {"tcp", "udp", "canary"}
    assert traps.sprung() == set()


async def test_no_playlist_is_followed(server: Server, traps: Traps, scale: Scale, summary: SummaryTable) -> None:
    generator, texts = random.Random(0), traps.texts()
    # Each playlist at least once, and each kind of disguise.
    every = [
        Upload(texts[name], f"list.{suffix}" if suffix else "list", content_type, name)
        for name in texts
        for suffix, content_type in CONTENT_TYPES.items()
    ]
    chosen = [*every[:: len(CONTENT_TYPES)], *generator.sample(every, round(scale.playlists * len(every)))]
    asks = [ask(path, upload) for upload in chosen for path in generator.sample(MEDIA_PATHS, 2)]

    replies = await send_all(server, asks)

    assert not traps.sprung()
    assert not [
        (r.ask.note, r.status, r.code) for r in replies if r.code not in {"not_an_image", "not_a_video", "not_audio"}
    ]
    assert (
        max(reply.seconds for reply in replies) < HANG_SECONDS
    )  # a reader of a session description would wait for packets
    summary.note("playlists and descriptions", f"{len(replies)}: {outcomes(replies)}")


@pytest.mark.parametrize("path", MEDIA_PATHS)
async def test_a_playlist_behind_a_real_file_is_not_followed(server: Server, traps: Traps, path: str) -> None:
    files = {"gif": image_bytes(kind="GIF"), "jpg": image_bytes(kind="JPEG"), "mp4": video_bytes("mp4")}
    texts = list(traps.texts().items())[::40]
    asks = [
        ask(path, Upload(both, f"list.{suffix}", note=f"{suffix} and {name}"))
        for suffix, data in files.items()
        for name, text in texts
        for both in (data + text, text + data)
    ]

    replies = await send_all(server, asks)

    assert not traps.sprung()
    assert not [(r.ask.note, r.status, r.code) for r in replies if r.status not in {200, 422}]


@pytest.mark.parametrize("path", MEDIA_PATHS)
async def test_file_name_is_not_opened(server: Server, traps: Traps, path: str) -> None:
    names = [str(traps.canary), f"file://{traps.canary}", f"http://127.0.0.1:{traps.tcp.getsockname()[1]}/clip.mp4"]

    replies = await send_all(server, [ask(path, Upload(b"nothing", name)) for name in names])

    assert not traps.sprung()
    assert {reply.status for reply in replies} == {422}
