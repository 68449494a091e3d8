"""Errors that a caller can do something about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class OmniNetError(Exception):
    """Base of every error this project raises on purpose."""


class InputError(OmniNetError):
    """An input that cannot be processed as given.

    Args:
        code: stable, machine-readable name of the problem, such as ``"not_an_image"``.
        message: what is wrong and what would be right, for a person.
        detail: JSON values that locate the problem, such as a limit.
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
    """A configuration value that is out of its range; the message names it."""


class CheckpointError(OmniNetError):
    """A checkpoint folder that is incomplete, altered or of another version."""


class DeviceError(OmniNetError):
    """A device or precision was asked for that this machine does not have."""
