"""Check of the limit on open file descriptors, which the server needs for its processes, connections and uploads."""

from __future__ import annotations

import resource

from omninet.model.errors import ConfigError

SERVER_FILES = 48  # of the server and the model process, a reload, and a few connections
MEDIA_FILES = 8  # of one media process, and of the one that replaces it at a reload


def require_files(media_processes: int) -> None:
    """Check that this process may open as many files as the server needs at least.

    Args:
        media_processes: number of processes that decode uploads.

    Raises:
        ConfigError: the limit is too low.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = SERVER_FILES + MEDIA_FILES * media_processes
    if limit != resource.RLIM_INFINITY and limit < needed:
        raise ConfigError(
            f"at most {limit} files may be open, but the server needs {needed}, and one more for each connection;"
            " raise the limit, for example with ulimit -n 4096"
        )
