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
from omninet.training.runtime.stop_and_go import resets_by

# Settings that affect only place, speed or frequency, or are only written into checkpoints.
FREE = (
    *("name", "version", "card", "licence", "sharded", "pace", "restarts", "max_skipped"),
    *("checkpoints.*", "evaluation.every", "tasks.*.jobs", "tasks.*.device"),
)
# May change while no finished step would have had another learning rate, or come after another reset of stop-and-go.
SCHEDULE = ("steps", "cooldown")
# May change until a best checkpoint has been chosen, or a task of stop-and-go been validated, by them.
MEASURES = ("text_steps", "beams", "evaluation.*")


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
    if progress.best is None and not any(controller.validated for controller in progress.controllers.values()):
        yield from MEASURES
    if now.steps >= progress.step and not any(_is_bound(config, progress.step) for config in (before, now)):
        yield from SCHEDULE


def _is_bound(config: RunConfig, done: int) -> bool:
    """Return whether the number of steps has already determined any of ``done`` steps."""
    return _in_cooldown(config, done) or (config.scheduler == "stop_and_go" and resets_by(done, config.steps) > 0)


def _in_cooldown(config: RunConfig, done: int) -> bool:
    """Return whether the learning rate was already in its cooldown at the last of ``done`` steps."""
    return done > 0 and cooldown(min(1.0, (done - 1) / config.steps), config.cooldown) < 1.0


def _is_free(name: str, patterns: set[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
