"""Attempts to log in are counted by who makes them."""

from concurrent.futures import ThreadPoolExecutor

from core.platform.auth.login_throttle import LoginAttempts


def test_guesses_at_the_same_moment_are_not_let_through_together():
    attempts = LoginAttempts()
    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(lambda _: attempts.seconds_to_wait("ann", "192.0.2.1"), range(16)))
    assert waits.count(0) == 5


def test_a_subscribers_many_ipv6_addresses_count_as_one():
    attempts = LoginAttempts()
    waits = [attempts.seconds_to_wait("ann", f"2001:db8::{at:x}") for at in range(6)]
    assert waits[:5] == [0] * 5
    assert waits[5] > 0
    assert attempts.seconds_to_wait("ann", "2001:db8:0:1::1") == 0
