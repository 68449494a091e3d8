"""Median and 90th percentile latency of each endpoint with single requests, and the server's memory.

    python -m benchmarks.latency --image photo.jpg --video clip.mp4

Starts a server with the bundled model on a free port, warms it up, and cycles through the endpoints, so that changes
in machine speed affect all of them.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from pathlib import Path

import httpx

from benchmarks.load.servers import service, serving

QUESTION = "what is on the table?"
STATEMENT, PHRASE, NAMES = "Two men play with a dog.", "the dog", "Anna Lee went to New York."
SPEECH = Path(__file__).parents[1] / "docs" / "sounds" / "eight-one-five-two.ogg"
TEXT = "The quick brown fox didn't jump over Mr. Smith's lazy dog."


def requests(image: Path, video: Path) -> dict[str, dict[str, object]]:
    """Return endpoint -> keyword arguments of httpx.Client.post."""
    picture, clip = image.read_bytes(), video.read_bytes()
    return {
        "/caption": {"files": {"image": picture}},
        "/vqa": {"files": {"image": picture}, "data": {"question": QUESTION}},
        "/pos": {"json": {"text": TEXT}},
        "/activity": {"files": {"video": clip}},
        "/video-caption": {"files": {"video": clip}},
        "/video-qa": {"files": {"video": clip}, "data": {"question": QUESTION}},
        "/match": {"files": {"image": picture}, "data": {"text": STATEMENT}},
        "/embed": {"files": {"image": picture}},
        "/ground": {"files": {"image": picture}, "data": {"phrase": PHRASE}},
        "/verify": {"files": {"image": picture}, "data": {"statement": STATEMENT}},
        "/classify": {"files": {"image": picture}},
        "/entities": {"json": {"text": NAMES}},
        "/translate": {"json": {"text": STATEMENT}},
        "/transcribe": {"files": {"audio": SPEECH.read_bytes()}},
    }


def served(client: httpx.Client) -> set[str]:
    """Return the endpoints of the tasks that a server has."""
    tasks = client.get("/tasks").raise_for_status().json()["tasks"]
    return {path for task in tasks for path in task["endpoints"]}


def main() -> None:
    """Run the benchmark and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=30)
    args = parser.parse_args()
    with serving(service(None)) as server, httpx.Client(base_url=server.address, timeout=60) as client:
        known = served(client)
        posts = {path: post for path, post in requests(args.image, args.video).items() if path in known}
        taken: dict[str, list[float]] = {path: [] for path in posts}
        at_rest = server.memory_mb()
        for _ in range(args.rounds + 3):
            for path, post in posts.items():
                started = time.perf_counter()
                client.post(path, **post).raise_for_status()  # type: ignore[arg-type]
                taken[path].append(1e3 * (time.perf_counter() - started))
        after = server.memory_mb()
    print(f"{platform.machine()}, {os.cpu_count()} cores, {args.rounds} rounds\n")
    print("| endpoint | median ms | p90 ms |\n|---|---|---|")
    for path, times in taken.items():
        kept = times[3:]
        print(f"| {path} | {statistics.median(kept):.1f} | {statistics.quantiles(kept, n=10)[-1]:.1f} |")
    print(f"\nmemory: {at_rest:.0f} MB at rest, {after:.0f} MB after {len(posts) * (args.rounds + 3)} requests")


if __name__ == "__main__":
    main()
