"""What a resumed run may change, and what would make it another run."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from omninet.model.config import to_dict
from omninet.training.config import CONFIG, RunConfig, differences
from omninet.training.data import DataError
from omninet.training.network import network_parts
from omninet.training.runtime.schedule import cooldown
from omninet.training.runtime.states import Progress

# Where, how quickly and how often things are done, and what is only written into checkpoints.
FREE = (
    *("name", "version", "card", "sharded", "pace", "restarts", "max_skipped"),
    *("checkpoints.*", "evaluation.every", "tasks.*.jobs", "tasks.*.device"),
)
SCHEDULE = ("steps", "cooldown")  # free while that changes no rate of a step that is done
MEASURES = ("text_steps", "beams", "evaluation.*")  # free until the best checkpoint was chosen by them


def changes(folder: Path, config: RunConfig, progress: Progress) -> list[str]:
    """What a configuration changes in the run of a folder that goes on with it, for people.

    A run of which no configuration is left is trusted.

    Raises:
        DataError: what was done so far would have been done otherwise; the message names each value that says so.
    """
    path = folder / CONFIG
    if not path.exists():
        return []
    before = RunConfig.load(path)
    found = list(differences(_values(before), _values(config)))
    free = set(_free(before, config, progress))
    other = [f"{name} {old!r} instead of {new!r}" for name, old, new in found if not _is_free(name, free)]
    if other:
        raise DataError(
            f"{path} is of another run, at step {progress.step} with {', '.join(other)}: "
            "the same configuration goes on, another --out begins anew"
        )
    return [f"{name} {new!r} instead of {old!r}" for name, old, new in found]


def _values(config: RunConfig) -> dict[str, Any]:
    """All values of a run, those too that its network has by default."""
    network = {name: to_dict(part) for name, part in network_parts(config).items()}
    return config.model_dump(mode="json") | {"network": network}


def _free(before: RunConfig, now: RunConfig, progress: Progress) -> Iterator[str]:
    """Patterns of the values that may change at this stage of a run."""
    yield from FREE
    if progress.best is None:
        yield from MEASURES
    if now.steps >= progress.step and not any(_has_fallen(config, progress.step) for config in (before, now)):
        yield from SCHEDULE


def _has_fallen(config: RunConfig, done: int) -> bool:
    """Whether the last of so many steps came when the learning rate was falling to zero already."""
    return done > 0 and cooldown(min(1.0, (done - 1) / config.steps), config.cooldown) < 1.0


def _is_free(name: str, patterns: set[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
