"""Tests of the token buckets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omninet.app.errors import ServiceError
from omninet.app.http import rate_limits as rates
from omninet.app.http.rate_limits import RateLimits, network_of


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def refusal(limits: RateLimits, address: str = "10.0.0.1") -> int:
    """Charge a request; return the seconds to wait, 0 if it is allowed."""
    try:
        limits.charge_address(address)
    except ServiceError as error:
        refused = error
    else:
        return 0
    assert (refused.status_code, refused.code) == (429, "rate_limited")
    assert refused.headers is not None
    assert refused.details == {"seconds": int(refused.headers["Retry-After"])}
    return int(refused.headers["Retry-After"])


def test_a_burst_and_then_the_rate() -> None:
    limits = RateLimits(6, 3, clock := Clock())
    assert [refusal(limits) for _ in range(5)] == [0, 0, 0, 10, 10]
    clock.now += 4
    assert refusal(limits) == 6
    clock.now += 6
    assert [refusal(limits) for _ in range(2)] == [0, 10]
    clock.now += 1e6
    assert [refusal(limits) for _ in range(4)] == [0, 0, 0, 10]


@given(rate=st.floats(0.01, 1e5), burst=st.integers(1, 50), steps=st.lists(st.floats(0, 100), max_size=30))
def test_retry_after_is_exact(rate: float, burst: int, steps: list[float]) -> None:
    limits = RateLimits(rate, burst, clock := Clock())
    for step in steps:
        clock.now += step
        if seconds := refusal(limits):
            if seconds > 1:
                clock.now += seconds - 1
                assert refusal(limits) == 1
                clock.now -= seconds - 1
            clock.now += seconds
            assert refusal(limits) == 0


def test_clients_have_separate_buckets() -> None:
    limits = RateLimits(1, 1, Clock())
    assert refusal(limits, "10.0.0.1") == refusal(limits, "10.0.0.2") == 0
    limits.charge_key("10.0.0.1")
    with pytest.raises(ServiceError, match="too many requests; try again in 60 seconds"):
        limits.charge_key("10.0.0.1")


def test_without_a_rate_there_is_no_limit() -> None:
    limits = RateLimits(None, 1, Clock())
    assert [refusal(limits) for _ in range(5)] == [0] * 5
    assert len(limits) == 0


def test_least_recently_used_buckets_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MAX_CLIENTS", 3)
    limits = RateLimits(1, 1, Clock())
    for name in "abc":
        limits.charge_key(name)
    with pytest.raises(ServiceError):
        limits.charge_key("a")
    limits.charge_key("d")  # b goes
    limits.charge_key("b")  # c goes
    assert len(limits) == 3
    with pytest.raises(ServiceError):
        limits.charge_key("a")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("x" * 10_000, "unknown"),
        ("", "unknown"),
    ],
)
def test_network_of_an_address(address: str, network: str) -> None:
    assert network_of(address) == network
