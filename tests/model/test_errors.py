"""Errors sent between processes."""

from __future__ import annotations

import pickle

from omninet.model.errors import InputError


def test_an_input_error_survives_pickling() -> None:
    found = pickle.loads(pickle.dumps(InputError("too_long", "it is too long", limit=3)))
    assert isinstance(found, InputError)
    assert (found.code, found.message, found.detail) == ("too_long", "it is too long", {"limit": 3})
