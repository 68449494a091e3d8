"""Find the tasks of a checkpoint that caption pictures and answer questions about them."""

from __future__ import annotations

from omninet.model.processor import Processor
from omninet.training.data import DataError


def captioning(processor: Processor) -> str:
    """Return the first task that generates a text from a picture alone.

    Raises:
        DataError: the checkpoint has no such task.
    """
    return _first(processor, ("image",), named=False, what="writes a text about a picture")


def questioning(processor: Processor) -> str:
    """Return the first task that answers a question about a picture by classification.

    Raises:
        DataError: the checkpoint has no such task.
    """
    return _first(processor, ("image", "question"), named=True, what="answers a question about a picture")


def _first(processor: Processor, takes: tuple[str, ...], named: bool, what: str) -> str:
    for name in processor.tasks:
        task, output = processor.task(name), processor.output(name)
        takes_these = len(task.inputs) == len(takes) and set(takes) <= processor.config.network.keywords(task).keys()
        if takes_these and output.has_vocabulary and output.named == named:
            return name
    raise DataError(f"{processor.name} has no task that {what}")
