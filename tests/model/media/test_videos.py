"""Video bytes to sampled frames."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from omninet.model.errors import InputError
from omninet.model.media import decoder
from omninet.model.media.limits import MediaLimits
from omninet.model.media.videos import Clip, decode_video
from tests.samples import CODECS, audio_bytes, brightness, image_bytes, video_bytes

every_container = pytest.mark.parametrize("container", CODECS)


def greys(clip: Clip) -> list[float]:
    """Brightness of each frame, away from the white corner."""
    values: list[float] = clip.frames[:, :, -12:, -12:].astype(float).mean((1, 2, 3)).tolist()
    return values


def code_of(data: bytes, limits: MediaLimits | None = None) -> str:
    """The code of the error that decoding raises."""
    with pytest.raises(InputError) as caught:
        decode_video(data, 4, limits)
    return caught.value.code


def white_corner(clip: Clip) -> str:
    """Which corner of the first frame is white."""
    frame = clip.frames[0].astype(float).mean(0)
    corners = {"top left": (3, 3), "top right": (3, -4), "bottom left": (-4, 3), "bottom right": (-4, -4)}
    return max(corners, key=lambda name: float(frame[corners[name]]))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Frames that each pass over a container decoded."""
    counts: list[int] = []
    original = decoder.FrameDecoder.pictures_at

    def counting(self: decoder.FrameDecoder, *args: object) -> object:
        result = original(self, *args)  # type: ignore[arg-type]
        counts.append(self.decoded)
        return result

    monkeypatch.setattr(decoder.FrameDecoder, "pictures_at", counting)
    return counts


@every_container
def test_frames_are_sampled_in_the_middle_of_even_spans(container: str) -> None:
    clip = decode_video(video_bytes(container, frames=48), 16)

    assert clip.frames.shape == (16, 3, 48, 64)
    assert clip.frames.dtype == np.uint8
    assert not clip.truncated
    assert clip.duration == pytest.approx(2.0, abs=0.02)
    # Span i covers frames 3i to 3i + 2.
    assert clip.times == pytest.approx([(3 * i + 1) / 24 for i in range(16)], abs=0.011)
    assert greys(clip) == pytest.approx([brightness(3 * i + 1, 48) for i in range(16)], abs=3)
    assert (clip.frames[:, :, 3:8, 3:10] > 230).all()
    assert white_corner(clip) == "top left"


@every_container
def test_a_variable_frame_rate_is_sampled_by_time(container: str) -> None:
    # Eight pictures in the first third of a second, then one that stays for two seconds.
    times = [0, 1, 2, 3, 4, 5, 6, 7, 56]
    clip = decode_video(video_bytes(container, frames=9, times=times), 6)

    middles = [(i + 0.5) / 6 * clip.duration for i in range(6)]
    shown = [max(n for n, t in enumerate(times) if t / 24 <= middle + 1e-9) for middle in middles]
    assert shown[:5] == [4, 7, 7, 7, 7]
    assert greys(clip)[:5] == pytest.approx([brightness(n, 9) for n in shown[:5]], abs=4)
    assert clip.times[:5] == pytest.approx([times[n] / 24 for n in shown[:5]], abs=0.011)


@every_container
@pytest.mark.parametrize("frames", [5, 6])
def test_fewer_pictures_than_samples_repeat(container: str, frames: int) -> None:
    clip = decode_video(video_bytes(container, frames=frames), 16)

    shown = [int((i + 0.5) / 16 * frames) for i in range(16)]
    assert greys(clip) == pytest.approx([brightness(n, frames) for n in shown], abs=4)


def test_a_single_picture_is_a_clip() -> None:
    clip = decode_video(video_bytes("mp4", frames=1), 16)

    assert greys(clip) == pytest.approx([brightness(0, 1)] * 16, abs=3)
    assert clip.times == (0.0,) * 16


@pytest.mark.parametrize("container", ["mp4", "mov", "avi", "matroska", "mpegts"])
def test_reordered_pictures_are_sampled_in_their_order(container: str) -> None:
    clip = decode_video(video_bytes(container, frames=48, b_frames=2), 16)

    assert greys(clip) == pytest.approx([brightness(3 * i + 1, 48) for i in range(16)], abs=3)


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("container", ["mp4", "mov", "avi", "mpegts"])
def test_only_the_groups_of_pictures_with_a_sample_are_decoded(
    container: str, b_frames: int, decoded: list[int]
) -> None:
    clip = decode_video(video_bytes(container, frames=480, b_frames=b_frames, gop=12), 4)

    assert greys(clip) == pytest.approx([brightness(120 * i + 60, 480) for i in range(4)], abs=3)
    # One pass; a sample stands at most 12 pictures into its group, and a few follow from reordering.
    assert len(decoded) == 1
    assert decoded[0] <= 4 * 14


@pytest.mark.parametrize("container", ["matroska", "webm"])
def test_long_matroska_is_not_decoded_whole(container: str, decoded: list[int]) -> None:
    clip = decode_video(video_bytes(container, frames=240, gop=12), 4)

    assert greys(clip) == pytest.approx([brightness(60 * i + 30, 240) for i in range(4)], abs=3)
    # Its index holds one position a cluster, not one a group.
    assert sum(decoded) <= 80


@pytest.mark.parametrize("container", ["mp4", "mpegts"])
def test_dense_samples_decode_no_picture_twice(container: str, decoded: list[int]) -> None:
    decode_video(video_bytes(container, frames=48, b_frames=2, gop=12), 48)

    assert decoded == [48]


@pytest.mark.parametrize(
    ("rotation", "corner", "shape"),
    [(90, "bottom left", (64, 48)), (180, "bottom right", (48, 64)), (270, "top right", (64, 48))],
)
@pytest.mark.parametrize("container", ["mp4", "mov", "matroska"])
def test_rotation_metadata_turns_counter_clockwise(
    container: str, rotation: int, corner: str, shape: tuple[int, int]
) -> None:
    clip = decode_video(video_bytes(container, rotation=rotation), 2)

    assert clip.frames.shape == (2, 3, *shape)
    assert white_corner(clip) == corner


def test_the_matrix_of_a_phone_held_upright() -> None:
    # x' = width - y, y' = x: what phones write for portrait clips, which players turn clockwise.
    data = bytearray(video_bytes("mp4"))
    matrix = data.index(b"tkhd") + 44
    assert struct.unpack_from(">5i", data, matrix) == (65536, 0, 0, 0, 65536)
    struct.pack_into(">8i", data, matrix, 0, 65536, 0, -65536, 0, 0, 48 << 16, 0)

    clip = decode_video(bytes(data), 2)

    assert clip.frames.shape == (2, 3, 64, 48)
    assert white_corner(clip) == "top right"


def test_a_stream_that_changes_its_size_is_scaled_to_its_first() -> None:
    large, small = video_bytes("mpegts", width=96, height=80), video_bytes("mpegts")
    half = large[: len(large) // 188 // 2 * 188]

    clip = decode_video(half + small, 8)

    assert clip.frames.shape == (8, 3, 80, 96)


@pytest.mark.parametrize("container", ["matroska", "webm", "mpegts", "gif"])
@pytest.mark.parametrize("share", [0.6, 0.8])
def test_a_truncated_file_gives_its_beginning(container: str, share: float) -> None:
    data = video_bytes(container, frames=96)

    clip = decode_video(data[: int(len(data) * share)], 4)

    assert clip.truncated
    assert 0.3 * 4 < clip.duration < share * 4 + 0.3
    whole = [brightness(n, 96) for n in range(96)]
    assert greys(clip) == pytest.approx([whole[int(time * 24 + 0.5)] for time in clip.times], abs=4)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.6, 0.7, 0.9])
@pytest.mark.parametrize("options", [{"moov_size": "8000"}, {"movflags": "frag_keyframe+empty_moov"}])
@pytest.mark.parametrize("container", ["mp4", "mov"])
def test_a_truncated_mp4_gives_its_beginning_if_its_index_comes_first(
    container: str, options: dict[str, str], share: float
) -> None:
    data = video_bytes(container, frames=96, options=options)
    start = data.index(b"mdat")

    clip = decode_video(data[: start + int((len(data) - start) * share)], 4)

    assert clip.truncated
    assert len(set(clip.times)) == 4
    whole = [brightness(n, 96) for n in range(96)]
    assert greys(clip) == pytest.approx([whole[int(time * 24 + 0.5)] for time in clip.times], abs=4)


def test_a_truncated_avi_gives_its_beginning() -> None:
    data = video_bytes("avi", frames=96)
    start = data.index(b"movi")

    clip = decode_video(data[: start + (data.index(b"idx1") - start) // 2], 4)

    assert clip.truncated
    assert max(greys(clip)) < brightness(60, 96)


@pytest.mark.parametrize("container", ["mp4", "mov"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_an_mp4_without_its_index_is_not_a_video(container: str, share: float) -> None:
    data = video_bytes(container)

    assert code_of(data[: int(len(data) * share)]) == "not_a_video"


def test_files_that_are_not_videos() -> None:
    assert code_of(b"") == "empty_file"
    assert code_of(b"hello") == "not_a_video"
    assert code_of(np.random.default_rng(0).bytes(5000)) == "not_a_video"
    assert code_of(image_bytes()) == "not_a_video"
    assert code_of(image_bytes(kind="JPEG")) == "not_a_video"
    assert code_of(audio_bytes()) == "no_video_stream"


def test_a_still_gif_is_a_clip_of_one_picture() -> None:
    clip = decode_video(image_bytes(kind="GIF"), 4)

    assert clip.frames.shape == (4, 3, 48, 64)


@pytest.mark.parametrize(
    ("limits", "code", "detail"),
    [
        (MediaLimits(video_seconds=0.9), "video_too_long", {"seconds": 1.0, "limit": 0.9}),
        (MediaLimits(decoded_frames=9), "video_too_long", {"limit": 9}),
        (MediaLimits(frame_pixels=64 * 48 - 1), "video_too_large", {"width": 64, "height": 48, "limit": 3071}),
    ],
)
def test_limits(limits: MediaLimits, code: str, detail: dict[str, float]) -> None:
    with pytest.raises(InputError) as caught:
        decode_video(video_bytes("mp4"), 16, limits)

    assert caught.value.code == code
    assert caught.value.detail == detail


def test_limits_that_are_just_enough() -> None:
    limits = MediaLimits(video_seconds=1.0, decoded_frames=24, frame_pixels=64 * 48)

    assert decode_video(video_bytes("mp4"), 16, limits).duration == 1.0


@every_container
def test_damaged_bytes_give_a_clip_or_an_input_error(container: str) -> None:
    generator = np.random.default_rng(2)
    whole = video_bytes(container, frames=12)
    outcomes = set()
    for _ in range(40):
        data = bytearray(whole)
        for position in [*generator.integers(0, len(data), 4), *generator.integers(0, 600, 2)]:
            data[position] = generator.integers(256)
        try:
            clip = decode_video(bytes(data), 4)
            outcomes.add("decoded")
            assert len(clip.frames) == len(clip.times) == 4
        except InputError as error:
            outcomes.add(error.code)

    known = {"not_a_video", "no_video_stream", "corrupt_video", "video_too_long", "video_too_large"}
    assert outcomes <= known | {"decoded"}


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listening socket to which decoding must not connect."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def references(address: str) -> dict[str, str]:
    """Files that make FFmpeg open what stands at ``address``."""
    return {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n",
        "hls master": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{address}\n",
        "concat": f"ffconcat version 1.0\nfile '{address}'\n",
        "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="0" '
        f'bandwidth="1"><BaseURL>{address}</BaseURL></Representation></AdaptationSet></Period></MPD>',
        "smil": f'<smil><body><video src="{address}"/></body></smil>',
        "bare": address,
    }


@pytest.mark.parametrize("kind", references(""))
def test_text_that_names_an_address_opens_nothing(kind: str, listener: socket.socket) -> None:
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/clip.mp4"

    assert code_of(references(address)[kind].encode()) == "not_a_video"

    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize("kind", references(""))
def test_text_that_names_a_file_does_not_open_it(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = tmp_path / "canary.mp4"
    canary.write_bytes(video_bytes("mp4"))
    monkeypatch.chdir(tmp_path)

    for address in (canary.name, str(canary), f"file://{canary}", f"file:{canary}"):
        assert code_of(references(address)[kind].encode()) == "not_a_video"


def is_open(port: int) -> bool:
    """Return whether a socket is bound there."""
    return any(f":{port:04X} " in path.read_text() for path in Path("/proc/net").glob("udp*"))


def test_a_session_description_opens_no_port() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1] // 2 * 2
    text = f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 26\n"
    with ThreadPoolExecutor(1) as threads:
        decoding, seen = threads.submit(code_of, text.encode()), False
        while not decoding.done():  # it would be open for the 10 s for which packets are waited for
            seen = seen or is_open(port)
            time.sleep(0.01)

    assert decoding.result() == "not_a_video"
    assert not seen
