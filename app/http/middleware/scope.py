"""Accessors for the ASGI scope of a request, including the state that the middleware stores there."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

HEALTH = frozenset({"/healthz", "/readyz"})


def path_of(scope: Mapping[str, Any]) -> str:
    """Return the path of a request without the prefix that the service is mounted at."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def endpoint_of(scope: Mapping[str, Any]) -> str:
    """Return the template of the matched route; ``other`` if none matched."""
    path: str = getattr(scope.get("route"), "path", "other")
    return path


def address_of(scope: Mapping[str, Any]) -> str:
    """Return the IP address of the client; empty if unknown."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def note_key(scope: MutableMapping[str, Any], name: str) -> None:
    """Store the name of a request's key in its scope."""
    scope.setdefault("state", {})["key_name"] = name


def key_of(scope: Mapping[str, Any]) -> str:
    """Return the key name stored by ``note_key``; empty without a key."""
    name: str = scope.get("state", {}).get("key_name", "")
    return name
