"""Warnings about OMNINET_ environment variables that are not settings, such as misspelt ones."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from omninet.app.settings import Settings

logger = logging.getLogger(__name__)
PREFIX = "OMNINET_"
# Variables that are not settings but are read by docker-compose.yml, model/extensions.py or the tests.
OTHER_VARIABLES = {
    "OMNINET_CHECKPOINTS",
    "OMNINET_EXTENSIONS",
    "OMNINET_GPU_PORT",
    "OMNINET_INDEX_PASSWORD",
    "OMNINET_METRICS_KEY_FILE",
    "OMNINET_RAY_PORT",
    "OMNINET_SEARCH_PORT",
    "OMNINET_SHARED",
}


def log_unknown(environment: Mapping[str, str]) -> None:
    """Log a warning for each OMNINET_ variable that is not a setting; values are never logged."""
    for name, nearest in unknown(environment).items():
        hint = f"; did you mean {nearest}?" if nearest else ""
        logger.warning("%s is not a setting and has no effect%s", name, hint)


def unknown(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Return the name of each OMNINET_ variable that is not a setting -> the most similar setting, or None."""
    # Names of settings are not case-sensitive.
    named = {name: name.upper() for name in environment if name.upper().startswith(PREFIX)}
    settings = [name.upper() for name in Settings.model_fields]
    known = {PREFIX + name for name in settings} | OTHER_VARIABLES
    links = _service_prefixes(named.values())
    return {
        name: _nearest(upper.removeprefix(PREFIX), settings)
        for name, upper in named.items()
        if upper not in known and not upper.startswith(links)
    }


def _service_prefixes(names: Iterable[str]) -> tuple[str, ...]:
    """Return the prefixes of the variables that Kubernetes sets in pods for Services, which may start with OMNINET_."""
    host = "_SERVICE_HOST"
    services = [name.removesuffix(host) for name in names if name.endswith(host)]
    return tuple(service + part for service in services for part in ("_SERVICE_", "_PORT"))


def _nearest(name: str, settings: Sequence[str]) -> str | None:
    found = get_close_matches(name, settings, 1)
    return PREFIX + found[0] if found else None
