"""End-to-end tests of ``omninet serve`` and its errors."""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import uvicorn

from omninet.app.cli import _listen, add_commands
from omninet.app.settings import Settings
from omninet.command import main
from omninet.model.errors import ConfigError
from tests.app.local.test_reload import damage

ROOT = Path(__file__).parents[2]


def serve(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    parsed = parser.parse_args(["serve", *arguments])
    code: int = parsed.run(parsed)
    return code


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_serves_until_stopped(
    toy_checkpoint: Path, free_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    servers: list[uvicorn.Server] = []

    class Kept(uvicorn.Server):
        def __init__(self, config: uvicorn.Config) -> None:
            super().__init__(config)
            servers.append(self)

    monkeypatch.setattr(uvicorn, "Server", Kept)
    monkeypatch.setenv("OMNINET_CHECKPOINT", str(toy_checkpoint))
    thread = threading.Thread(target=serve, args=("--port", str(free_port), "--device", "cpu"), daemon=True)
    thread.start()
    try:
        address = f"http://127.0.0.1:{free_port}"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{address}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        reply = httpx.post(f"{address}/pos", json={"text": "A dog runs."})
        assert reply.status_code == 200
        assert "server" not in reply.headers
        assert f"OmniNet listens on {address}\n" in capsys.readouterr().out
        large = httpx.post(f"{address}/pos", content=b"x" * 3_000_000, headers={"Content-Type": "application/json"})
        assert large.json()["error"]["code"] == "body_too_large"
    finally:
        servers[0].should_exit = True
        thread.join(20)
    assert not thread.is_alive()


def another_format(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"format": 99}))


@pytest.fixture
def folder(toy_checkpoint: Path, tmp_path: Path) -> Path:
    """Return a copy of the toy checkpoint that a test may damage."""
    return Path(shutil.copytree(toy_checkpoint, tmp_path / "toy"))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (shutil.rmtree, "toy is not a checkpoint folder: it does not exist"),
        (lambda folder: (folder / "SHA256SUMS").unlink(), "toy is not a checkpoint folder: it lacks SHA256SUMS"),
        (lambda folder: (folder / "model.safetensors").unlink(), "toy/model.safetensors is missing"),
        (another_format, "toy/config.json has format 99"),
    ],
)
def test_invalid_checkpoint_is_reported_before_the_server_listens(
    folder: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], object], said: str
) -> None:
    spoil(folder)
    assert main(["serve", "--port", "0", "--device", "cpu", "--checkpoint", str(folder)]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert len(err.splitlines()) == 1
    assert err.startswith(f"omninet: {folder.parent}/{said}")


@pytest.mark.parametrize(
    ("device", "precision", "said"),
    [
        ("cuda:99", "auto", "device 'cuda:99' was asked for, but this machine has"),
        ("cpu,toaster", "auto", "device 'toaster' is unknown; choose auto, cpu, cuda or cuda:N"),
        ("cpu", "float16", "precision 'float16' is unknown; choose auto, float32, bfloat16 or int8"),
    ],
)
def test_invalid_device_or_precision_is_reported_before_the_server_listens(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], device: str, precision: str, said: str
) -> None:
    monkeypatch.setenv("OMNINET_DEVICE", device)
    monkeypatch.setenv("OMNINET_PRECISION", precision)
    assert main(["serve", "--port", "0"]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert len(err.splitlines()) == 1
    assert err.startswith(f"omninet: {said}")


def test_a_checkpoint_that_fails_while_it_is_loaded_ends_the_server(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(folder)
    assert main(["serve", "--port", "0", "--device", "cpu", "--checkpoint", str(folder)]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("OmniNet listens on ")
    assert err.splitlines()[-1].startswith(f"omninet: {folder}/model.safetensors was altered")


def test_port_in_use_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1 port {port}"):
            serve("--port", str(port))


def test_invalid_setting_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNINET_BATCH_ROWS", "none")
    with pytest.raises(ConfigError, match=r"setting batch_rows: .* not 'none'"):
        serve()


@pytest.mark.parametrize(("limit", "media"), [(10, 2), (24, 2), (63, 2), (100, 20)])
def test_too_few_file_descriptors_are_an_error_that_says_how_to_raise_them(
    toy_checkpoint: Path, limit: int, media: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "omninet", "serve", "--port", "0", "--device", "cpu", "--checkpoint", toy_checkpoint],
        cwd=ROOT,
        env=os.environ | {"OMNINET_MEDIA_PROCESSES": str(media)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert f"at most {limit} files may be open" in done.stderr
    assert "ulimit -n" in done.stderr


def test_every_setting_is_described_and_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(field.description for field in Settings.model_fields.values())
    monkeypatch.setenv("OMNINET_MAX_VIDEO_SECONDS", "12.5")
    monkeypatch.setenv("OMNINET_SOMETHING_ELSE", "1")
    assert Settings().media_limits().video_seconds == 12.5


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
@pytest.mark.parametrize("host", ["::", "0:0:0:0:0:0:0:0"])
def test_every_address_of_ipv6_includes_those_of_ipv4(host: str, caplog: pytest.LogCaptureFixture) -> None:
    with _listen(host, 0) as listener:
        port = listener.getsockname()[1]
        for address in ("127.0.0.1", "::1"):
            socket.create_connection((address, port)).close()
    assert not caplog.records


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_a_system_without_sockets_for_both_listens_on_ipv6_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with _listen("::", 0) as listener:
        socket.create_connection(("::1", listener.getsockname()[1])).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", listener.getsockname()[1]))
    assert "listening on IPv6 only" in caplog.text


def test_one_address_of_ipv6_is_only_that() -> None:
    with _listen("::1", 0) as listener, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", listener.getsockname()[1]))


def test_nagle_is_off() -> None:
    with _listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
