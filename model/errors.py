"""Errors that are caused by inputs, configurations, checkpoints or devices, not by bugs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class OmniNetError(Exception):
    """Base class of all errors that OmniNet raises deliberately."""


class InputError(OmniNetError):
    """A request has an invalid input or option.

    Args:
        code: stable, machine-readable name of the problem, such as ``"not_an_image"``.
        message: what is wrong and what is expected, for people.
        detail: JSON values with the facts, such as the limit that was exceeded.
    """

    def __init__(self, code: str, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail = detail

    def __reduce__(self) -> tuple[Any, ...]:
        return _input_error, (self.code, self.message, self.detail)


def _input_error(code: str, message: str, detail: Mapping[str, Any]) -> InputError:
    return InputError(code, message, **detail)


class ConfigError(OmniNetError):
    """A configuration is invalid; the message names the value."""


class CheckpointError(OmniNetError):
    """A checkpoint is incomplete, altered, invalid or of an unknown format."""


class DeviceError(OmniNetError):
    """The requested device or precision is not available on this machine."""


def install_command(extra: str) -> str:
    """Return the command that installs optional packages; no package index has OmniNet, so it names a clone."""
    return f"pip install '.[{extra}]' in a clone of the repository"
