"""Keys of clients, of which only digests are kept.

A key is long and random, so that a plain digest of it cannot be reversed.
"""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import b64decode
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from omninet.model.errors import ConfigError

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
DIGEST = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class Key:
    """Who has a key, and its SHA-256 in hexadecimal."""

    name: str
    digest: str

    def __str__(self) -> str:
        return f"{self.name}:{self.digest}"


class Keyring:
    """The keys that are good here.

    Args:
        api: for everything but administration.
        admin: for everything.

    Attributes:
        required: whether nothing is to be had without a key.
        has_admin: whether anybody may administer.
    """

    def __init__(self, api: Sequence[Key] = (), admin: Sequence[Key] = ()) -> None:
        self.required, self.has_admin = bool(api), bool(admin)
        self._admin = tuple(admin)
        self._all = (*api, *admin)

    def name_of(self, key: str) -> str | None:
        """Whose key it is; None where it is nobody's."""
        return _find(self._all, key)

    def is_admin(self, key: str) -> bool:
        """Whether it is good for administration."""
        return _find(self._admin, key) is not None


def new_key(name: str) -> tuple[str, Key]:
    """A new key, and what is kept of it.

    Raises:
        ConfigError: the name cannot be one.
    """
    if not NAME.fullmatch(name):
        raise ConfigError("the name of a key must be 1 to 64 of the characters A-Z a-z 0-9 . _ -")
    key = secrets.token_urlsafe(32)
    return key, Key(name, _digest(key))


def read_keys(variable: str, text: str, file: Path | None) -> list[Key]:
    """The keys of a setting, separated by commas or spaces, and those of a file, one a line.

    Args:
        variable: name of the setting; that of the file is the same with ``_FILE``.

    Raises:
        ConfigError: an entry is not ``NAME:DIGEST``, or a file cannot be read or has no key. The message repeats
            nothing of either, since it may be a key.
    """
    keys = _entries(f"{variable}: entry", text.replace(",", " ").split())
    if file is not None:
        keys += _read_file(f"{variable}_FILE", file)
    return keys


def key_in(authorization: str) -> str:
    """The key in an ``Authorization`` header: of Bearer, or the password of Basic; empty where there is none."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        with suppress(ValueError):
            return b64decode(value.strip(), validate=True).decode().partition(":")[2]
    return ""


def _read_file(variable: str, file: Path) -> list[Key]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"{variable}: the file cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{variable}: the file is no text in UTF-8") from None
    keys = _entries(f"{variable}: line", (line.partition("#")[0].strip() for line in lines))
    if not keys:
        raise ConfigError(f"{variable}: there is no key in the file")
    return keys


def _entries(where: str, texts: Iterable[str]) -> list[Key]:
    """The keys that texts spell, but for empty ones."""
    keys = []
    for i, text in enumerate(texts, 1):
        name, _, digest = text.partition(":")
        if NAME.fullmatch(name) and DIGEST.fullmatch(digest):
            keys.append(Key(name, digest.lower()))
        elif text:
            raise ConfigError(f"{where} {i} is not NAME:DIGEST; `omninet key NAME` prints one")
    return keys


def _digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()


def _find(keys: Sequence[Key], key: str) -> str | None:
    """Whose key it is; compares with all of them, so that the time it takes says nothing."""
    digest, found = _digest(key), None
    for known in keys:
        if hmac.compare_digest(known.digest, digest):
            found = known.name
    return found
