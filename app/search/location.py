"""Where the index of a user is."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "OMNINET_INDEX"
NONE = "none"


def index_folder(named: str) -> Path | None:
    """Return the folder that OMNINET_INDEX names.

    Args:
        named: value of the variable; empty means ``$XDG_DATA_HOME/omninet/index``, by default in ``~/.local/share``.

    Returns:
        The folder; None if the index is switched off by ``none``.
    """
    if named == NONE:
        return None
    if named:
        return Path(named).expanduser()
    home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(home).expanduser() / "omninet" / "index"
