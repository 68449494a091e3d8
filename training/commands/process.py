"""What every long command does to its process."""

from __future__ import annotations


def prepare(threads: int | None) -> None:
    """Log to the terminal, and compute with so many threads."""
    import logging

    import torch

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if threads:
        torch.set_num_threads(threads)
