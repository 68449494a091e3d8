"""Dev examples of a run's tasks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omninet.training.config import RunConfig
from omninet.training.data import DataError, Example, thinned


def dev_examples(config: RunConfig, task: str, data: Path, limit: int | None = None) -> Sequence[Example]:
    """Return the dev examples of one task, from all its data sets.

    Args:
        limit: maximum number, evenly spaced; None returns all.

    Raises:
        DataError: the run does not have the task, or the task has no dev example.
    """
    if task not in config.tasks:
        raise DataError(f"{config.name} has no data of task {task}")
    sources = config.tasks[task].sources
    examples = thinned([e for source in sources for e in source.data_set(data).read("dev")], limit)
    if not examples:
        raise DataError(f"{data / sources[0].folder} holds no dev example")
    return examples
