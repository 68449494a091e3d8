"""Tests of the sandboxed media processes."""

from __future__ import annotations

import asyncio
import copy
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import ImageCms

from omninet.app.errors import ServiceError
from omninet.app.media.pool import MediaPool
from omninet.app.media.sandbox import ClosedError, Limits, Sandbox, _decode
from omninet.app.processes.messages import LENGTH, BlockingConnection
from omninet.model.errors import InputError
from omninet.model.media.images import Picture, decode_image
from omninet.model.media.limits import MediaLimits
from omninet.model.media.videos import Clip, decode_video
from omninet.model.modalities import Modality
from omninet.model.modalities.language import LanguageModality
from omninet.model.modalities.language.config import LanguageConfig
from omninet.model.modalities.vision import VisionModality
from omninet.model.modalities.vision.config import Framing, VisionConfig
from omninet.model.modalities.vision.fit import fit
from omninet.model.predictor import Predictor
from tests.app.conftest import Serve
from tests.cases import FOLDER, case
from tests.model.media.test_images import pixels_of
from tests.samples import CODECS, image_bytes, jpeg_bytes, picture, video_bytes

VISION = VisionConfig(backbone="compact", size=64)
MODALITIES = {"vision": VisionModality(VISION), "language": LanguageModality(LanguageConfig())}
LIMITS = Limits(MediaLimits(), seconds=20, memory=2**30)
PATIENT = replace(LIMITS, seconds=60)
IMAGES, VIDEOS = {".png", ".jpg", ".bmp"}, {".mp4", ".mkv", ".avi", ".ts"}
SENT = sorted(path.name for path in FOLDER.iterdir() if path.suffix in IMAGES | VIDEOS)


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[Sandbox]:
    found = Sandbox(MODALITIES, LIMITS)
    found.start()
    yield found
    found.close()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return a sandbox that the test may break."""
    found = Sandbox(MODALITIES, PATIENT)
    found.start()
    yield found
    found.close()


def fitted(frames: np.ndarray) -> np.ndarray:
    """Return the input of the network for frames."""
    squares: np.ndarray = fit(frames, VISION.image, VISION.size)
    return squares


def pid(sandbox: Sandbox) -> int:
    assert sandbox._process is not None
    assert sandbox._process.pid is not None
    return sandbox._process.pid


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_picture_decodes_to_the_same_tensor(shared_sandbox: Sandbox, kind: str) -> None:
    data = image_bytes(picture(150, 90), kind)

    found = shared_sandbox.decode("vision", "image", data)

    assert isinstance(found, Picture)
    assert np.array_equal(found.pixels, fitted(decode_image(data).pixels[None])[0])
    assert not found.truncated


@pytest.mark.parametrize(("kind", "task"), [("image", "caption"), ("video", "activity")])
def test_fitted_pictures_are_not_changed_again(toy_predictor: Predictor, kind: str, task: str) -> None:
    """Fitting twice changes nothing; a wrong crop or channel order would be applied twice."""
    framing = Framing("squash", side=80, window="corner", channels="bgr")
    processor = copy.copy(toy_predictor)
    processor.__dict__.pop("modalities", None)
    vision = replace(VISION, image=framing, video=framing, sampling="stride")
    network = replace(processor.config.network, peripherals={**processor.config.network.peripherals, "vision": vision})
    processor.config = replace(processor.config, network=network)
    data = image_bytes(picture(150, 90)) if kind == "image" else video_bytes()
    modality = VisionModality(vision)
    header, frames = _decode(modality, kind, data, MediaLimits())
    assert frames is not None

    found = modality.unpack(kind, header["found"], frames)

    def shown(given: Any) -> np.ndarray:
        ((_, _, squares, _),) = processor.prepare(task, **{kind: given}).rows[0].inputs
        assert isinstance(squares, np.ndarray)
        return squares

    assert np.array_equal(shown(found), shown(data))


@pytest.mark.parametrize("container", CODECS)
def test_clip_decodes_to_the_same_tensor(shared_sandbox: Sandbox, container: str) -> None:
    data = video_bytes(container)
    expected = decode_video(data, VISION.frames)

    found = shared_sandbox.decode("vision", "video", data)

    assert isinstance(found, Clip)
    assert np.array_equal(found.frames, fitted(expected.frames))
    assert (found.times, found.duration, found.truncated) == (expected.times, expected.duration, False)


def test_truncated_files_are_noted(shared_sandbox: Sandbox) -> None:
    data = image_bytes(picture(400, 300), "JPEG", quality=95)

    assert shared_sandbox.decode("vision", "image", data[: len(data) // 2]).truncated


def test_input_errors_are_passed_on(shared_sandbox: Sandbox) -> None:
    with pytest.raises(InputError, match="not a readable image") as found:
        shared_sandbox.decode("vision", "image", b"no picture")
    assert found.value.code == "not_an_image"
    sandbox = Sandbox(MODALITIES, Limits(MediaLimits(image_pixels=10), 20, 2**30))
    with pytest.raises(InputError) as found:
        sandbox.decode("vision", "image", jpeg_bytes(6, 5))
    sandbox.close()
    assert found.value.detail == {"width": 6, "height": 5, "limit": 10}


def test_sandbox_can_open_nothing(shared_sandbox: Sandbox) -> None:
    limits = Path(f"/proc/{pid(shared_sandbox)}/limits").read_text(encoding="ascii").splitlines()
    allowed = {line[:26].strip(): line[26:].split()[:2] for line in limits}

    assert allowed["Max open files"] == ["0", "0"]
    assert allowed["Max core file size"] == ["0", "0"]
    assert allowed["Max address space"][0] != "unlimited"


def test_file_that_needs_too_much_memory_is_rejected() -> None:
    sandbox = Sandbox(MODALITIES, Limits(MediaLimits(), 20, 2**25))
    try:
        with pytest.raises(InputError) as found:
            sandbox.decode("vision", "image", image_bytes(picture(5000, 5000), "PNG"))
        assert found.value.code in {"media_too_expensive", "corrupt_image"}
        assert isinstance(sandbox.decode("vision", "image", jpeg_bytes()), Picture)
    finally:
        sandbox.close()


def test_a_decoder_that_hangs_is_replaced() -> None:
    sandbox = Sandbox(MODALITIES, Limits(MediaLimits(), 0.5, 2**30))
    sandbox.start()
    hanging = pid(sandbox)
    os.kill(hanging, signal.SIGSTOP)
    try:
        with pytest.raises(InputError, match=r"longer than 0\.5 s") as found:
            sandbox.decode("vision", "image", jpeg_bytes())
        assert found.value.code == "media_too_expensive"
        assert isinstance(sandbox.decode("vision", "image", jpeg_bytes()), Picture)
        assert pid(sandbox) != hanging
    finally:
        sandbox.close()


def kill_soon(sandbox: Sandbox) -> None:
    """Suspend the sandbox's process, and kill it while its reply is awaited."""
    number = pid(sandbox)
    os.kill(number, signal.SIGSTOP)
    threading.Timer(0.2, os.kill, (number, signal.SIGKILL)).start()


def test_a_file_survives_killed_processes(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    start, deaths = Sandbox.start, iter(range(5))

    def start_to_die(found: Sandbox) -> None:
        start(found)
        if next(deaths, None) is not None:
            kill_soon(found)

    monkeypatch.setattr(Sandbox, "start", start_to_die)

    assert isinstance(sandbox.decode("vision", "video", video_bytes()), Clip)
    assert next(deaths, None) is None


def crash(connection: BlockingConnection, modalities: dict[str, Modality], limits: Limits) -> None:
    """The body of a process that crashes on every file."""
    connection.send(b"ready")
    connection.receive()
    os.abort()


def test_file_that_crashes_every_process_is_rejected(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox._terminate()
    with monkeypatch.context() as patch:
        patch.setattr("omninet.app.media.sandbox._run_worker", crash)
        with pytest.raises(InputError, match="crashed") as refused:
            sandbox.decode("vision", "video", video_bytes())
    assert refused.value.code == "media_too_expensive"
    assert isinstance(sandbox.decode("vision", "video", video_bytes()), Clip)


def test_process_that_died_between_files_is_replaced(sandbox: Sandbox) -> None:
    assert sandbox._process is not None
    os.kill(pid(sandbox), signal.SIGKILL)
    sandbox._process.join()

    assert isinstance(sandbox.decode("vision", "image", jpeg_bytes()), Picture)


def test_replies_of_a_compromised_process_are_not_trusted() -> None:
    modality = VisionModality(VISION)
    with pytest.raises(ValueError, match="reshape"):
        modality.unpack("image", {"truncated": False}, b"too short")
    with pytest.raises(KeyError):
        modality.unpack("video", {"truncated": False}, bytes(16 * 3 * 64 * 64))


@pytest.mark.anyio
async def test_decoders_may_be_killed_under_load(serve: Serve) -> None:
    async with serve(media_processes=2) as client:
        expected = (await client.post("/caption", files={"image": jpeg_bytes()})).json()["caption"]
        media = client._transport.app.state.service.backend._serving.media  # type: ignore[attr-defined]
        work = [asyncio.create_task(client.post("/caption", files={"image": jpeg_bytes()})) for _ in range(40)]
        for number in range(4):
            await asyncio.sleep(0.1)
            process = media._sandboxes[number % 2]._process
            if process is not None and process.pid:
                process.kill()
        responses = await asyncio.gather(*work)
    assert [response.status_code for response in responses] == [200] * 40
    assert {response.json()["caption"] for response in responses} == {expected}


def half_an_answer(connection: BlockingConnection, modalities: dict[str, Modality], limits: Limits) -> None:
    """The body of a compromised process."""
    connection.send(b"ready")
    connection.receive()
    connection._socket.sendall(LENGTH.pack(100) + b'{"tr')
    time.sleep(600)


def test_incomplete_reply_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omninet.app.media.sandbox._run_worker", half_an_answer)
    sandbox = Sandbox(MODALITIES, Limits(MediaLimits(), 0.5, 2**30))
    try:
        with pytest.raises(InputError, match=r"longer than 0\.5 s"):
            sandbox.decode("vision", "image", jpeg_bytes())
    finally:
        sandbox.close()


def test_process_that_does_not_read_times_out() -> None:
    sandbox = Sandbox(MODALITIES, Limits(MediaLimits(), 0.5, 2**30))
    sandbox.start()
    os.kill(pid(sandbox), signal.SIGSTOP)
    try:
        with pytest.raises(InputError, match=r"longer than 0\.5 s"):
            sandbox.decode("vision", "image", bytes(2**24))
        assert isinstance(sandbox.decode("vision", "image", jpeg_bytes()), Picture)
    finally:
        sandbox.close()


def test_closed_while_it_decodes(sandbox: Sandbox) -> None:
    found: list[BaseException] = []

    def decode() -> None:
        try:
            sandbox.decode("vision", "image", jpeg_bytes())
        except ClosedError as error:
            found.append(error)

    os.kill(pid(sandbox), signal.SIGSTOP)
    thread = threading.Thread(target=decode)
    thread.start()
    time.sleep(0.2)
    started = time.monotonic()
    sandbox.close()
    thread.join()

    assert time.monotonic() - started < PATIENT.seconds - 10, "it was waited for until its time was over"
    assert len(found) == 1
    assert sandbox._process is None
    with pytest.raises(ClosedError):
        sandbox.start()


def test_closed_while_it_starts() -> None:
    sandbox = Sandbox(MODALITIES, LIMITS)
    closed = threading.Timer(0.02, sandbox.close)
    closed.start()
    with suppress(ClosedError):
        sandbox.start()
    closed.join()

    assert sandbox._process is None


@pytest.mark.anyio
async def test_closed_pool_raises_shutting_down() -> None:
    pool = MediaPool(MODALITIES, LIMITS, processes=1, max_waiting=1)
    pool.start()
    os.kill(pid(pool._sandboxes[0]), signal.SIGSTOP)
    work = asyncio.create_task(pool.run(lambda sandbox: sandbox.decode("vision", "image", jpeg_bytes())))
    await asyncio.sleep(0.2)
    pool.close()

    with pytest.raises(ServiceError) as found:
        await work
    assert found.value.code == "shutting_down"


def test_sandbox_keeps_only_its_connection_open(shared_sandbox: Sandbox) -> None:
    opened = sorted(int(entry.name) for entry in Path(f"/proc/{pid(shared_sandbox)}/fd").iterdir())

    assert opened[:3] == [0, 1, 2]
    assert len(opened) == 4


OWNER = """
import time
from omninet.app.media.sandbox import Limits, Sandbox
from omninet.model.media.limits import MediaLimits
from omninet.model.modalities.vision import VisionModality
from omninet.model.modalities.vision.config import VisionConfig

if __name__ == "__main__":
    modality = VisionModality(VisionConfig(backbone="compact", size=64))
    sandbox = Sandbox({"vision": modality}, Limits(MediaLimits(), 20, 2**30))
    sandbox.start()
    print(sandbox._process.pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_a_process_that_hangs_dies_with_its_service(tmp_path: Path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(OWNER, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, env=environment) as owner:
        assert owner.stdout is not None
        process = psutil.Process(int(owner.stdout.readline()))
        process.suspend()
        owner.kill()

    process.wait(10)


def address_space(sandbox: Sandbox) -> int:
    """Return the address space of the sandbox's process in bytes."""
    return psutil.Process(pid(sandbox)).memory_info().vms


@pytest.mark.slow
def test_large_frames_leave_no_memory_behind() -> None:
    """Each upload starts with the memory of the first: fragments of earlier ones do not add up."""
    sandbox = Sandbox(MODALITIES, replace(PATIENT, memory=2**29))
    sandbox.start()
    first, before = pid(sandbox), 0
    uploads = [case("uhd_h264_2s.mp4"), case("dci4k_h264_2s.mp4"), image_bytes(picture(3000, 2000), "JPEG")]
    try:
        for number in range(6):
            if number == len(uploads):  # the decoders have allocated their threads and tables
                time.sleep(1)
                before = address_space(sandbox)
            form = "image" if number % 3 == 2 else "video"
            sandbox.decode("vision", form, uploads[number % 3])
        time.sleep(1)  # memory is returned after the reply
        assert address_space(sandbox) - before < 2**27
        assert pid(sandbox) == first
    finally:
        sandbox.close()


@pytest.mark.parametrize("name", SENT)
def test_files_that_people_sent_are_answered(shared_sandbox: Sandbox, name: str) -> None:
    form = "image" if Path(name).suffix in IMAGES else "video"

    found = shared_sandbox.decode("vision", form, case(name))

    assert found.truncated == (name == "mpo_cut_80.jpg")


@pytest.mark.parametrize("kind", ["AVIF", "TIFF"])
@pytest.mark.parametrize("profile", [None, ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()])
def test_further_formats_need_no_file(shared_sandbox: Sandbox, kind: str, profile: bytes | None) -> None:
    data = image_bytes(picture(150, 90), kind, icc_profile=profile)

    assert np.array_equal(
        shared_sandbox.decode("vision", "image", data).pixels, fitted(decode_image(data).pixels[None])[0]
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_photos_of_fifty_megapixels(shared_sandbox: Sandbox, kind: str) -> None:
    options = {"AVIF": {"speed": 10}, "WEBP": {"method": 0}}.get(kind, {})
    data = image_bytes(picture(8160, 6144), kind, **options)

    found = shared_sandbox.decode("vision", "image", data)

    assert np.abs(found.pixels.astype(int) - fitted(pixels_of(picture(1360, 1024))[None])[0]).mean() < 3
