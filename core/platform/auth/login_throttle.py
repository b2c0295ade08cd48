"""Limits on attempts to log in, against guessing of passwords."""

import math
import time

from limits import RateLimitItem, RateLimitItemPerMinute

from core.platform.http.addresses import subscriber
from core.platform.http.rate_limiter import RateLimiter
from core.platform.store.accounts import normal_name

_OF_A_NAME = RateLimitItemPerMinute(5)
_OF_AN_ADDRESS = RateLimitItemPerMinute(20)


class LoginAttempts:
    """Counts attempts of an address, and those of an address at one name, in this process's memory.

    An attempt counts before the password is looked at, so that many at once are not let through together. A name alone
    is not counted: whoever knows it could lock its owner out.
    """

    def __init__(self) -> None:
        self._window = RateLimiter()

    def seconds_to_wait(self, name: str, address: str) -> int:
        """Note an attempt; 0 if it may go on, else the seconds until the next one may."""
        client = subscriber(address)
        return self._wait(_OF_AN_ADDRESS, client) or self._wait(_OF_A_NAME, client, normal_name(name))

    def succeeded(self, name: str, address: str) -> None:
        """Forget the attempts at a name: its password is known there."""
        self._window.clear(_OF_A_NAME, subscriber(address), normal_name(name))

    def _wait(self, limit: RateLimitItem, *key: str) -> int:
        if self._window.hit(limit, *key):
            return 0
        return max(1, math.ceil(self._window.get_window_stats(limit, *key).reset_time - time.time()))
