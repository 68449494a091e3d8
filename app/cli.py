"""``omninet serve``, ``omninet index``, ``omninet key`` and ``omninet doctor``."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from omninet.app.search import commands as index_commands

if TYPE_CHECKING:
    import asyncio

    from omninet.app.local.launch import LaunchedProcess
    from omninet.app.settings import Settings

logger = logging.getLogger(__name__)


def add_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands ``serve``, ``index``, ``key`` and ``doctor`` to the parser."""
    parser = subparsers.add_parser(
        "serve",
        help="answer over HTTP",
        description="Serve a checkpoint over HTTP, with a web page to try it.",
        epilog="All other settings are OMNINET_... environment variables; docs/settings.md lists them.",
    )
    parser.add_argument("--host", help="address to listen on (default: OMNINET_HOST or 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on, 0 for any (default: OMNINET_PORT or 8000)")
    parser.add_argument(
        "--checkpoint", type=Path, help="checkpoint folder (default: OMNINET_CHECKPOINT or the bundled)"
    )
    parser.add_argument(
        "--device", help="auto, cpu, cuda or cuda:N, or several: cuda:0,cuda:1 (default: OMNINET_DEVICE or auto)"
    )
    parser.set_defaults(run=serve)

    index_commands.add(subparsers)
    parser = subparsers.add_parser(
        "key",
        help="make a key for a client of the service",
        description="Print a new random key, which is not stored, and its digest for OMNINET_API_KEYS.",
    )
    parser.add_argument("name", metavar="NAME", help="name of the key's owner, used in logs and for rate limits")
    parser.set_defaults(run=make_key)

    parser = subparsers.add_parser(
        "doctor",
        help="show versions, machine and checkpoint, and what is unusual about them",
        description="Load the checkpoint as the server does, and print what a report of a problem should contain.",
    )
    parser.add_argument("--checkpoint", type=Path, help="checkpoint folder (default: as for serve)")
    parser.add_argument("--device", help="device (default: as for serve)")
    parser.set_defaults(run=run_doctor)


def serve(arguments: argparse.Namespace) -> int:
    """Serve until stopped; return the exit code.

    Raises:
        OmniNetError: a setting, the address, the device or the checkpoint cannot be used.
    """
    # Waiting OpenMP threads must not spin, which would take CPU time from other processes. torch reads this on import.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Media processes resize with numpy; several threads of each would compete with the model for the cores.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from omninet.app.local.launch import LaunchedProcess
    from omninet.app.processes.files import require_files
    from omninet.app.processes.start import prepare

    require_files(media_processes=1)  # enough for what follows to fail with a message
    launched = LaunchedProcess()
    try:
        prepare()
        settings = _settings(arguments)
        require_files(settings.media_processes)
        launched.configure(settings)
        _serve(settings, launched)
    finally:
        launched.close()
    return 0


def make_key(arguments: argparse.Namespace) -> int:
    """Print a new key and its digest; return the exit code.

    Raises:
        ConfigError: the name is invalid.
    """
    from omninet.app.http.keys import new_key

    key, kept = new_key(arguments.name)
    print(f"key, for its owner alone:   {key}")
    print(f"for OMNINET_API_KEYS:       {kept}")
    return 0


def run_doctor(arguments: argparse.Namespace) -> int:
    """Print what this machine and installation are like; return the exit code.

    Raises:
        ConfigError: a setting is invalid.
    """
    from omninet.app.doctor import doctor

    return doctor(_settings(arguments))


def _settings(arguments: argparse.Namespace) -> Settings:
    from pydantic import ValidationError

    from omninet.app.settings import Settings
    from omninet.model.errors import ConfigError

    given = {name: getattr(arguments, name, None) for name in ("host", "port", "checkpoint", "device")}
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        problem = error.errors()[0]
        raise ConfigError(f"setting {problem['loc'][0]}: {problem['msg']}, not {problem['input']!r}") from None


def _serve(settings: Settings, launched: LaunchedProcess) -> None:
    import asyncio

    import uvicorn

    from omninet.app.http.server import ServerConfig
    from omninet.app.main import create_app
    from omninet.app.telemetry.logs import configure_logs
    from omninet.app.variables import log_unknown

    configure_logs()
    log_unknown(os.environ)
    app = create_app(settings)
    # Checked before listening, so that service managers and clients do not see a server that is about to fail.
    launched.wait_until_checked()
    listener = _listen(settings.host, settings.port)
    config = ServerConfig(app, settings)
    server = uvicorn.Server(config)

    def stop() -> None:
        server.should_exit = True

    backend = app.state.service.backend
    backend.on_failure = stop
    backend.launched = launched
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    with (
        contextlib.suppress(KeyboardInterrupt),
        asyncio.Runner(loop_factory=config.get_loop_factory()) as runner,
        _signal_handlers(runner.get_loop(), backend.reload_soon),
    ):
        print(f"OmniNet listens on http://{host}:{listener.getsockname()[1]}", flush=True)
        runner.run(server.serve(sockets=[listener]))
    if backend.failure is not None:
        raise backend.failure


@contextlib.contextmanager
def _signal_handlers(loop: asyncio.AbstractEventLoop, reload: Callable[[], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only the main thread can handle signals
        yield
        return
    # uvicorn stops at SIGTERM, restores this handler and raises the signal again; here it ends the runner cleanly.
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def _is_every_ipv6_address(host: str) -> bool:
    try:
        return ip_address(host) == IPv6Address("::")
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    from omninet.model.errors import ConfigError

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    every = _is_every_ipv6_address(host)
    both = every and socket.has_dualstack_ipv6()
    try:
        listener = socket.create_server((host, port), family=family, dualstack_ipv6=both)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    if every and not both:
        logger.warning("listening on IPv6 only, since this system has no sockets for both; 0.0.0.0 listens on IPv4")
    # A response is sent in two segments: with Nagle's algorithm the second waits up to 40 ms for the client's ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
