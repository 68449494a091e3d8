"""What is known of a request: what its scope says, and what was noted there on the way."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

HEALTH = frozenset({"/healthz", "/readyz"})


def path_of(scope: Mapping[str, Any]) -> str:
    """The path below the prefix that the service is mounted at."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def endpoint_of(scope: Mapping[str, Any]) -> str:
    """The template of the route that was taken; what matches none is one endpoint, ``other``."""
    path: str = getattr(scope.get("route"), "path", "other")
    return path


def address_of(scope: Mapping[str, Any]) -> str:
    """Of the client; empty where it has none."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def note_key(scope: MutableMapping[str, Any], name: str) -> None:
    """Remember with a request whose key it came with."""
    scope.setdefault("state", {})["key_name"] = name


def key_of(scope: Mapping[str, Any]) -> str:
    """The name that was noted; empty without a key."""
    name: str = scope.get("state", {}).get("key_name", "")
    return name
