"""Tests of uploads that the server cannot store."""

from __future__ import annotations

import errno
import io
import logging
import tempfile
from typing import IO

import pytest

from tests.app.conftest import Serve
from tests.app.http.test_error_responses import check
from tests.samples import jpeg_bytes

pytestmark = pytest.mark.anyio
LARGE = {"image": jpeg_bytes() + bytes(3_000_000)}


def full_device(**_: object) -> IO[bytes]:
    """Return a file on a device without space: the system refuses what is written to it."""
    return open("/dev/full", "w+b", buffering=0)


async def test_full_disk_is_the_fault_of_the_server(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", full_device)
    async with serve() as client:
        response = await client.post("/caption", files=LARGE)
        metrics = (await client.get("/metrics")).text
        small = await client.post("/caption", files={"image": jpeg_bytes()})
    assert "disk space" in check(response, 507, "insufficient_storage")["message"]
    assert 'code="insufficient_storage",endpoint="/caption",status="507"' in metrics
    (line,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "No space left on device" in line.message
    assert "TMPDIR" in line.message
    assert small.status_code == 200, "small uploads need no disk"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 507, "insufficient_storage"),
        (OSError(errno.EMFILE, "Too many open files"), 500, "internal_error"),
        (FileNotFoundError(errno.ENOENT, "No usable temporary directory found"), 500, "internal_error"),
        (MemoryError(), 500, "internal_error"),
    ],
)
async def test_other_failures_of_the_server(
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: BaseException,
    status: int,
    code: str,
) -> None:
    def fail(**_: object) -> IO[bytes]:
        raise error

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    async with serve() as client:
        check(await client.post("/caption", files=LARGE), status, code)
    assert any(record.levelno >= logging.ERROR for record in caplog.records)


async def test_error_only_when_the_file_is_flushed(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(io.BytesIO):
        def seek(self, *_: int) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Late())
    async with serve() as client:
        check(await client.post("/caption", files=LARGE), 507, "insufficient_storage")


async def test_body_that_the_client_has_broken_is_still_its_fault(serve: Serve) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=a"}
    async with serve() as client:
        check(await client.post("/caption", content=b"nothing", headers=kind), 400, "bad_request")
