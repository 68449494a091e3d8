"""Setup that the long-running commands share."""

from __future__ import annotations

import argparse

# Parameters of mallopt(3).
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Add the repeatable option ``--set``."""
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="override a value of the configuration; repeatable",
    )


def prepare(threads: int | None) -> None:
    """Set up logging, the number of CPU threads, and the memory allocator."""
    import logging

    import torch

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if threads:
        torch.set_num_threads(threads)
    keep_memory()


def keep_memory() -> None:
    """Configure glibc's allocator to keep freed memory; no effect with other C libraries.

    By default, glibc returns large blocks to the system at once. The system then clears the same hundreds of megabytes
    again in every training step, which takes up to half of a step's time on a CPU.
    """
    import ctypes
    import sys

    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
