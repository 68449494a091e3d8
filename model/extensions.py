"""User modules that add modalities, outputs, tasks and data sets."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence

from omninet.model.errors import ConfigError

VARIABLE = "OMNINET_EXTENSIONS"


def extensions() -> list[str]:
    """Return the module names in the environment variable OMNINET_EXTENSIONS, a comma-separated list."""
    return [name for part in os.environ.get(VARIABLE, "").split(",") if (name := part.strip())]


def load_extensions(names: Sequence[str] | None = None) -> None:
    """Import user modules and call their ``extend()``, which adds to MODALITIES, OUTPUTS, TASKS or DATASETS.

    Every process of the service and of the training calls this at start; ``extend`` must be idempotent.

    Args:
        names: names of the modules; None takes those of OMNINET_EXTENSIONS.

    Raises:
        ConfigError: a module does not exist, or has no function ``extend``.
    """
    for name in extensions() if names is None else names:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise ConfigError(f"{VARIABLE}: there is no module {error.name!r} on Python's path") from error
        if not callable(getattr(module, "extend", None)):
            raise ConfigError(f"{VARIABLE}: module {name} has no function extend()")
        module.extend()
