"""Dev examples of a run's tasks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from omninet.training.config import DataSource, RunConfig
from omninet.training.data import DataError, Example, thinned

LOG = logging.getLogger(__name__)


def with_data(sources: Sequence[DataSource], data: Path) -> Sequence[DataSource]:
    """Return the data sets whose folder is there, and log the others; all if none is, so that reading them fails."""
    there = [source for source in sources if (data / source.folder).is_dir()]
    for source in sources:
        if there and source not in there:
            LOG.warning("%s is missing: the data set %s is left out", data / source.folder, source.dataset)
    return there or sources


def dev_examples(config: RunConfig, task: str, data: Path, limit: int | None = None) -> Sequence[Example]:
    """Return the dev examples of one task, from all its data sets whose folder is there.

    Args:
        limit: maximum number, evenly spaced; None returns all.

    Raises:
        DataError: the run does not have the task, or the task has no dev example.
    """
    if task not in config.tasks:
        raise DataError(f"{config.name} has no data of task {task}")
    sources = with_data(config.tasks[task].sources, data)
    examples = thinned([e for source in sources for e in source.data_set(data).read("dev")], limit)
    if not examples:
        raise DataError(f"{data / sources[0].folder} holds no dev example")
    return examples
