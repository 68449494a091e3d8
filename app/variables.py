"""Variables of the environment that look like settings and are none."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from omninet.app.settings import Settings

logger = logging.getLogger(__name__)
PREFIX = "OMNINET_"
# Read by docker-compose.yml, model/extensions.py and the tests: no settings, but rightly set beside them.
ELSEWHERE = {
    "OMNINET_CHECKPOINTS",
    "OMNINET_EXTENSIONS",
    "OMNINET_GPU_PORT",
    "OMNINET_METRICS_KEY_FILE",
    "OMNINET_RAY_PORT",
    "OMNINET_SHARED",
}


def log_unknown(environment: Mapping[str, str]) -> None:
    """Warn of each variable that is named like a setting and is none: it may be a slip, and would go unnoticed."""
    for name, nearest in unknown(environment).items():
        hint = f"; did you mean {nearest}?" if nearest else ""
        logger.warning("%s is not a setting and has no effect%s", name, hint)


def unknown(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Each variable that is named like a setting and is none, with the setting whose name is most like it."""
    # Names of settings are read in capitals and in small letters alike.
    named = {name: name.upper() for name in environment if name.upper().startswith(PREFIX)}
    settings = [name.upper() for name in Settings.model_fields]
    known = {PREFIX + name for name in settings} | ELSEWHERE
    links = _links(named.values())
    return {
        name: _nearest(upper.removeprefix(PREFIX), settings)
        for name, upper in named.items()
        if upper not in known and not upper.startswith(links)
    }


def _links(names: Iterable[str]) -> tuple[str, ...]:
    """What the variables begin with by which Kubernetes tells a pod of the Services beside it."""
    host = "_SERVICE_HOST"
    services = [name.removesuffix(host) for name in names if name.endswith(host)]
    return tuple(service + part for service in services for part in ("_SERVICE_", "_PORT"))


def _nearest(name: str, settings: Sequence[str]) -> str | None:
    found = get_close_matches(name, settings, 1)
    return PREFIX + found[0] if found else None
