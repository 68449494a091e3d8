"""What the long commands have in common."""

from __future__ import annotations

import argparse

# Parameters of mallopt(3).
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Add ``--set``, which may come more than once."""
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a value of the configuration",
    )


def prepare(threads: int | None) -> None:
    """Log to the terminal, compute with so many threads, and keep memory that was freed."""
    import logging

    import torch

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if threads:
        torch.set_num_threads(threads)
    keep_memory()


def keep_memory() -> None:
    """Tell glibc's allocator to keep what is freed; elsewhere do nothing.

    By default it gives large blocks back to the system at once. Each step then has the system clear the same hundreds
    of megabytes anew, which takes up to half of the time of a training step on a CPU.
    """
    import ctypes
    import sys

    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
