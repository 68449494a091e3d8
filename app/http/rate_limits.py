"""Rate limits: a token bucket for each client."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from omninet.app.errors import ServiceError

MAX_CLIENTS = 10_000
ROUNDING = 1e-6  # requests; tolerance for rounding errors in sums of times


class RateLimits:
    """A token bucket for each client, refilled at a constant rate.

    At most ``MAX_CLIENTS`` buckets are kept, to bound memory; the least recently used is dropped first.

    Args:
        per_minute: requests a minute at which a bucket is refilled; None for no limit.
        burst: requests in a full bucket.
        clock: returns the time in seconds.
    """

    def __init__(self, per_minute: float | None, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_minute and per_minute / 60
        self._burst = burst
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # (requests left, time), least recently used first

    def __len__(self) -> int:
        """Return the number of clients with a bucket."""
        return len(self._buckets)

    def charge_key(self, name: str) -> None:
        """Charge one request to the key with this name.

        Raises:
            ServiceError: ``rate_limited``: the bucket is empty.
        """
        self._charge(f"key {name}")

    def charge_address(self, address: str) -> None:
        """Charge one request to the network of this IP address.

        Raises:
            ServiceError: ``rate_limited``: the bucket is empty.
        """
        self._charge(f"address {network_of(address)}")

    def _charge(self, client: str) -> None:
        if self._per_second is None:
            return
        now = self._clock()
        left, then = self._buckets.pop(client, (self._burst, now))
        left = min(self._burst, left + (now - then) * self._per_second)
        if has_one := left >= 1 - ROUNDING:
            left -= 1
        self._buckets[client] = left, now
        if len(self._buckets) > MAX_CLIENTS:
            del self._buckets[next(iter(self._buckets))]
        if not has_one:
            raise _too_many(math.ceil((1 - ROUNDING - left) / self._per_second))


def network_of(address: str) -> str:
    """Return the network to charge for an address: an IPv4 address itself, or the /64 prefix of an IPv6 address.

    One client usually controls a whole /64. Text that is not an IP address becomes ``unknown``.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"  # a proxy may pass on any text
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"


def _too_many(seconds: int) -> ServiceError:
    message = f"too many requests; try again in {seconds} seconds"
    return ServiceError(429, "rate_limited", message, {"Retry-After": str(seconds)}, seconds=seconds)
