"""Which settings may change when a run is resumed."""

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

# Settings that affect only place, speed or frequency, or are only written into checkpoints.
FREE = (
    *("name", "version", "card", "licence", "sharded", "pace", "restarts", "max_skipped"),
    *("checkpoints.*", "evaluation.every", "tasks.*.jobs", "tasks.*.device"),
)
SCHEDULE = ("steps", "cooldown")  # may change while the learning rate of every finished step stays the same
MEASURES = ("text_steps", "beams", "evaluation.*")  # may change until a best checkpoint has been chosen by them


def changes(folder: Path, config: RunConfig, progress: Progress) -> list[str]:
    """Return the settings that a resumed run changes, as text.

    The check is skipped if the folder holds no configuration.

    Raises:
        DataError: a change would have altered steps that are already done; the message names each such setting.
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
            "resume with the same configuration, or start a new run in another --out"
        )
    return [f"{name} {new!r} instead of {old!r}" for name, old, new in found]


def _values(config: RunConfig) -> dict[str, Any]:
    """Return all values of a configuration, including the network's defaults."""
    network = {name: to_dict(part) for name, part in network_parts(config).items()}
    return config.model_dump(mode="json") | {"network": network}


def _free(before: RunConfig, now: RunConfig, progress: Progress) -> Iterator[str]:
    """Return patterns of the settings that may change at this stage of a run."""
    yield from FREE
    if progress.best is None:
        yield from MEASURES
    if now.steps >= progress.step and not any(_in_cooldown(config, progress.step) for config in (before, now)):
        yield from SCHEDULE


def _in_cooldown(config: RunConfig, done: int) -> bool:
    """Return whether the learning rate was already in its cooldown at the last of ``done`` steps."""
    return done > 0 and cooldown(min(1.0, (done - 1) / config.steps), config.cooldown) < 1.0


def _is_free(name: str, patterns: set[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
