"""Where the index of a user is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

VARIABLE, URL_VARIABLE = "OMNINET_INDEX", "OMNINET_INDEX_URL"
NONE = "none"


def default_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return ``$XDG_DATA_HOME/omninet/index``, by default in ``~/.local/share``."""
    home = environment.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(home).expanduser() / "omninet" / "index"


def folder_of(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder that OMNINET_INDEX names, or the default one; None if it is switched off by ``none``."""
    named = environment.get(VARIABLE)
    if named == NONE:
        return None
    return Path(named).expanduser() if named else default_folder(environment)
