"""Tests of settings that are lists."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from omninet.app.settings import Settings


def test_lists_are_separated_by_commas_or_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNINET_TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::1 127.0.0.1,")
    monkeypatch.setenv("OMNINET_CORS_ORIGINS", "")
    assert Settings().trusted_proxies == ("10.0.0.0/8", "2001:db8::1", "127.0.0.1")
    assert Settings().cors_origins == ()


@pytest.mark.parametrize("value", ["localhost", "10.0.0.1/8", "10.0.0", "* *x"])
def test_invalid_proxy_address_is_an_error(value: str) -> None:
    with pytest.raises(ValidationError, match="must be addresses, networks such as"):
        Settings(trusted_proxies=value)


@pytest.mark.parametrize("value", ["example.org", "https://example.org/", "https://", "ftp://example.org", "null"])
def test_invalid_origin_is_an_error(value: str) -> None:
    with pytest.raises(ValidationError, match="must be origins such as"):
        Settings(cors_origins=value)


def test_star_allows_all() -> None:
    chosen = Settings(trusted_proxies="*", cors_origins="*")
    assert (chosen.trusted_proxies, chosen.cors_origins) == (("*",), ("*",))
