"""The index of a server: opened when it is first asked for, and called in threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from omninet.app.errors import ServiceError
from omninet.app.search.index import Index, IndexFullError, IndexMismatchError, IndexUnavailableError
from omninet.app.search.location import index_folder
from omninet.app.search.postgres import PostgresIndex
from omninet.app.search.process import OwnedIndex
from omninet.app.settings import Settings

T = TypeVar("T")
REBUILD = "omninet index rebuild"


class IndexService:
    """Opens the index that the settings name, and converts its errors to those of HTTP."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opening = threading.Lock()
        self._index: Index | None = None

    @property
    def is_on(self) -> bool:
        """Return whether there is an index."""
        return bool(self._settings.index_url.get_secret_value()) or index_folder(self._settings.index) is not None

    async def run(self, work: Callable[[Index], T]) -> T:
        """Run a function of the index in a thread.

        Raises:
            ServiceError: ``index_unavailable``, ``index_full`` or ``index_mismatch``.
        """
        try:
            return await run_in_threadpool(lambda: work(self._opened()))
        except IndexUnavailableError as error:
            raise ServiceError(503, "index_unavailable", str(error), {"Retry-After": "2"}) from error
        except IndexFullError as error:
            raise ServiceError(507, "index_full", str(error)) from error
        except IndexMismatchError as error:
            message = f"{error}; `{REBUILD}` makes its vectors anew with the model that is served"
            raise ServiceError(409, "index_mismatch", message) from error

    async def stop(self) -> None:
        """Close the index, if it was opened."""
        if self._index is not None:
            await run_in_threadpool(self._index.close)

    def _opened(self) -> Index:
        with self._opening:
            if self._index is None:
                self._index = self._open()
            return self._index

    def _open(self) -> Index:
        settings = self._settings
        limits = (settings.max_index_entries, settings.max_index_bytes)
        if url := settings.index_url.get_secret_value():
            return PostgresIndex(url, *limits)
        folder = index_folder(settings.index)
        if folder is None:
            raise IndexUnavailableError("OMNINET_INDEX is none, which switches the index off")
        return OwnedIndex(folder, *limits)
