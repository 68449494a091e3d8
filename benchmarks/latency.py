"""Median and 90th percentile latency of each endpoint, one request at a time, and the server's memory.

    python benchmarks/latency.py --image photo.jpg --video clip.mp4

Starts a server of the bundled model on a free port, warms it up, and takes the endpoints in turn, so that a slow
moment of the machine falls on all of them.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

QUESTION = "what is on the table?"
TEXT = "The quick brown fox didn't jump over Mr. Smith's lazy dog."


@contextlib.contextmanager
def server() -> Iterator[tuple[str, int]]:
    """Address and process id of a server of the bundled model."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "omninet", "serve", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            _wait(address)
            yield address, process.pid
        finally:
            process.terminate()


def _wait(address: str) -> None:
    for _ in range(600):
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{address}/readyz").status_code == 200:
                return
        time.sleep(0.1)
    raise SystemExit("the server was not ready within 60 s")


def requests(image: Path, video: Path) -> dict[str, dict[str, object]]:
    """Endpoint -> what httpx posts to it."""
    picture, clip = image.read_bytes(), video.read_bytes()
    return {
        "/caption": {"files": {"image": picture}},
        "/vqa": {"files": {"image": picture}, "data": {"question": QUESTION}},
        "/pos": {"json": {"text": TEXT}},
        "/activity": {"files": {"video": clip}},
        "/video-caption": {"files": {"video": clip}},
        "/video-qa": {"files": {"video": clip}, "data": {"question": QUESTION}},
    }


def resident_mb(pid: int) -> float:
    """Resident memory of a process and its children, MB."""
    total = 0.0
    for entry in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            status = entry.read_text()
            parent = re.search(r"^PPid:\s+(\d+)", status, re.MULTILINE)
            memory = re.search(r"^VmRSS:\s+(\d+)", status, re.MULTILINE)
            if memory and parent and (int(entry.parent.name) == pid or int(parent[1]) == pid):
                total += int(memory[1]) / 1024
    return total


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=30)
    args = parser.parse_args()
    posts = requests(args.image, args.video)
    taken: dict[str, list[float]] = {path: [] for path in posts}
    with server() as (address, pid), httpx.Client(base_url=address, timeout=60) as client:
        at_rest = resident_mb(pid)
        for _ in range(args.rounds + 3):
            for path, post in posts.items():
                started = time.perf_counter()
                client.post(path, **post).raise_for_status()  # type: ignore[arg-type]
                taken[path].append(1e3 * (time.perf_counter() - started))
        after = resident_mb(pid)
    print(f"{platform.machine()}, {os.cpu_count()} cores, {args.rounds} rounds\n")
    print("| endpoint | median ms | p90 ms |\n|---|---|---|")
    for path, times in taken.items():
        kept = times[3:]
        print(f"| {path} | {statistics.median(kept):.1f} | {statistics.quantiles(kept, n=10)[-1]:.1f} |")
    print(
        f"\nresident memory: {at_rest:.0f} MB at rest, {after:.0f} MB after {len(posts) * (args.rounds + 3)} requests"
    )


if __name__ == "__main__":
    main()
