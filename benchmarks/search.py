"""Search in an index of many pictures: time, recall, memory and disk, on one core.

    python -m benchmarks.search --data DATA --checkpoint runs/mine/checkpoint [--count 100000] [--url postgresql://...]

The vectors are those of the captions of Flickr8k, with noise until there are enough of them; searches are for captions
of the dev photos. Recall is compared with an exact search by numpy. One of a hundred entries has each year of the
filter. The text is embedded before the time is taken.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from omninet.app.search.conditions import Condition, IndexQuery, OneOf
from omninet.app.search.embedded import EmbeddedIndex
from omninet.app.search.entries import Entry, Identity, NewEntry, digest_of
from omninet.app.search.index import Index
from omninet.app.search.postgres import PostgresIndex
from omninet.model.predictor import Predictor
from omninet.training.data import DATASETS

EXITS = ("fast", "balanced", "best")
NOISE = 0.5  # length of the noise that is added to a vector of unit length
THUMBNAIL = b"x" * 8_000  # as large as a usual thumbnail
YEARS = 100  # of the filter, which keeps one of them
BATCH, TEXTS = 256, 64
QUERIES, HITS = 500, 10

Vectors = NDArray[np.float32]


def vectors_of(predictor: Predictor, texts: Sequence[str]) -> Vectors:
    """Return the vectors of texts at the best exit, (texts, width)."""
    found = []
    for start in range(0, len(texts), TEXTS):
        jobs = [predictor.prepare("embed", text=text) for text in texts[start : start + TEXTS]]
        found += [row.values for row in predictor.run([row for job in jobs for row in job.rows])]
    return np.stack([values for values in found if values is not None]).astype(np.float32)


def captions(data: Path, split: str, count: int) -> list[str]:
    """Return the first captions of a split of Flickr8k."""
    examples = DATASETS["flickr8k"](data / "flickr8k").read(split)
    return [caption for example in examples for caption in example.captions][:count]


def many(vectors: Vectors, count: int) -> Vectors:
    """Return vectors of unit length near the given ones, (count, width)."""
    draw = np.random.default_rng(0)
    noise = draw.normal(size=(count, vectors.shape[1])).astype(np.float32)
    noise *= NOISE / np.linalg.norm(noise, axis=1, keepdims=True)
    found = vectors[draw.integers(0, len(vectors), count)] + noise
    unit: Vectors = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


def entries(vectors: Vectors) -> Iterator[list[NewEntry]]:
    """Yield entries with these vectors at every exit, some at a time."""
    for start in range(0, len(vectors), BATCH):
        yield [
            NewEntry(
                Entry(str(i), digest_of(str(i).encode()), metadata={"year": i % YEARS}),
                dict.fromkeys(EXITS, vectors[i]),
                THUMBNAIL,
            )
            for i in range(start, min(start + BATCH, len(vectors)))
        ]


def measure(index: Index, vectors: Vectors, queries: Vectors, years: int) -> tuple[float, float, float]:
    """Return p50 and p99 of a search in milliseconds, and the recall of its hits.

    Args:
        years: number of years that the filter keeps; YEARS searches without a filter.
    """
    kept = np.arange(len(vectors)) % YEARS < years
    conditions: tuple[Condition, ...] = (OneOf("year", tuple(map(float, range(years)))),) if years < YEARS else ()
    taken, recalls = [], []
    for query in queries:
        started = time.perf_counter()
        hits = index.search(IndexQuery(HITS, "best", query, conditions))
        taken.append(1e3 * (time.perf_counter() - started))
        scores = np.where(kept, vectors @ query, -np.inf)
        best = set(np.argpartition(-scores, HITS)[:HITS].tolist())
        recalls.append(len(best & {int(hit.entry.id) for hit in hits}) / HITS)
    return float(np.percentile(taken, 50)), float(np.percentile(taken, 99)), float(np.mean(recalls))


def main() -> None:
    """Run the benchmark and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--url", help="database with pgvector; by default an index on disk")
    args = parser.parse_args()
    predictor = Predictor.load(args.checkpoint, device="cpu")
    vectors = many(vectors_of(predictor, captions(args.data, "train", 20_000)), args.count)
    queries = vectors_of(predictor, captions(args.data, "dev", QUERIES))
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        index: Index = PostgresIndex(args.url) if args.url else EmbeddedIndex(Path(folder) / "index")
        identity, started = Identity(predictor.digest, EXITS, vectors.shape[1]), time.perf_counter()
        for batch in entries(vectors):
            index.add(batch, identity)
        seconds = time.perf_counter() - started
        sizes = f"{index.count():,} entries, {len(EXITS)} vectors of {vectors.shape[1]} each"
        print(f"{platform.machine()}, one core, {sizes}\n")
        print("| filter keeps | p50 ms | p99 ms | recall@10 |\n|---|---|---|---|")
        for years in (YEARS, 1, 20):
            p50, p99, recall = measure(index, vectors, queries, years)
            print(f"| {years / YEARS:.0%} | {p50:.1f} | {p99:.1f} | {recall:.3f} |")
        memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(f"\nadded in {seconds:.0f} s, {len(vectors) / seconds:.0f} a second")
        print(f"{index.size() / 2**20:.0f} MiB on disk, at most {memory:.0f} MiB of memory in this process")
        index.close()


if __name__ == "__main__":
    main()
