"""How many requests each client may make."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from omninet.app.errors import ServiceError

MOST_CLIENTS = 10_000
ROUNDING = 1e-6  # of a request, that sums of times may be wrong by


class RateLimits:
    """A token bucket for each client: it holds some requests and is filled up steadily.

    Of too many clients those that have not been seen for longest are forgotten, so that memory is bounded.

    Args:
        per_minute: by which a bucket is filled; None is no limit.
        burst: requests that a full bucket holds.
        clock: seconds.
    """

    def __init__(self, per_minute: float | None, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_minute and per_minute / 60
        self._burst = burst
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # requests left, and when; who was seen last stands last

    def __len__(self) -> int:
        """Clients that are remembered."""
        return len(self._buckets)

    def charge_key(self, name: str) -> None:
        """Take a request from whoever has the key of this name; errors as of ``charge_address``."""
        self._charge(f"key {name}")

    def charge_address(self, address: str) -> None:
        """Take a request from whoever has this address.

        Raises:
            ServiceError: ``rate_limited``, there is none left.
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
        if len(self._buckets) > MOST_CLIENTS:
            del self._buckets[next(iter(self._buckets))]
        if not has_one:
            raise _too_many(math.ceil((1 - ROUNDING - left) / self._per_second))


def network_of(address: str) -> str:
    """Whose an address is: itself, or of IPv6 the first 64 bits, since one client has all of the rest."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"  # a proxy may hand on anything
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"


def _too_many(seconds: int) -> ServiceError:
    message = f"too many requests; try again in {seconds} seconds"
    return ServiceError(429, "rate_limited", message, {"Retry-After": str(seconds)}, seconds=seconds)
