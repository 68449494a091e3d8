"""API keys of clients. Only SHA-256 digests are stored.

Keys have 256 random bits, so an unsalted digest cannot be reversed by guessing.
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
    """A stored key.

    Attributes:
        name: name of the key's owner.
        digest: SHA-256 of the key, 64 hexadecimal digits.
    """

    name: str
    digest: str

    def __str__(self) -> str:
        return f"{self.name}:{self.digest}"


class Keyring:
    """The keys that the service accepts.

    Args:
        api: keys for all endpoints except ``/admin``.
        admin: keys for all endpoints.

    Attributes:
        required: whether requests need a key.
        has_admin: whether there is any admin key.
    """

    def __init__(self, api: Sequence[Key] = (), admin: Sequence[Key] = ()) -> None:
        self.required, self.has_admin = bool(api), bool(admin)
        self._admin = tuple(admin)
        self._all = (*api, *admin)

    def name_of(self, key: str) -> str | None:
        """Return the name of a key's owner; None for an unknown key."""
        return _find(self._all, key)

    def is_admin(self, key: str) -> bool:
        """Whether ``key`` is an admin key."""
        return _find(self._admin, key) is not None


def new_key(name: str) -> tuple[str, Key]:
    """Return a new random key and its stored form.

    Raises:
        ConfigError: ``name`` is not 1 to 64 of the characters A-Z a-z 0-9 . _ -
    """
    if not NAME.fullmatch(name):
        raise ConfigError("the name of a key must be 1 to 64 of the characters A-Z a-z 0-9 . _ -")
    key = secrets.token_urlsafe(32)
    return key, Key(name, _digest(key))


def read_keys(variable: str, text: str, file: Path | None) -> list[Key]:
    """Return the keys of a setting and of a file.

    Args:
        variable: name of the setting, for error messages; the setting of the file is ``variable`` plus ``_FILE``.
        text: ``NAME:DIGEST`` entries, separated by commas or spaces.
        file: with one ``NAME:DIGEST`` on each line and comments after ``#``; None for no file.

    Raises:
        ConfigError: an entry is not ``NAME:DIGEST``, or the file cannot be read or contains no key. The message never
            quotes an entry, which may be a secret key.
    """
    keys = _entries(f"{variable}: entry", text.replace(",", " ").split())
    if file is not None:
        keys += _read_file(f"{variable}_FILE", file)
    return keys


def key_in(authorization: str) -> str:
    """Return the key in an ``Authorization`` header: the Bearer token or the Basic password; empty without one."""
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
        raise ConfigError(f"{variable}: the file is not UTF-8 text") from None
    keys = _entries(f"{variable}: line", (line.partition("#")[0].strip() for line in lines))
    if not keys:
        raise ConfigError(f"{variable}: the file contains no key; `omninet key NAME` prints one")
    return keys


def _entries(where: str, texts: Iterable[str]) -> list[Key]:
    """Return the keys of ``NAME:DIGEST`` texts; empty texts are skipped."""
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
    """Return the name of a key's owner; compares with all keys in constant time, against timing attacks."""
    digest, found = _digest(key), None
    for known in keys:
        if hmac.compare_digest(known.digest, digest):
            found = known.name
    return found
