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


def test_who_has_used_up_the_attempts_at_a_name_waits_for_the_rest_of_the_minute():
    attempts = LoginAttempts()
    assert [attempts.seconds_to_wait("ann", "192.0.2.1") for _ in range(5)] == [0] * 5
    assert 50 < attempts.seconds_to_wait("Ann", "192.0.2.1") <= 60  # however it is spelt
    assert attempts.seconds_to_wait("bob", "192.0.2.1") == 0
    assert attempts.seconds_to_wait("ann", "192.0.2.2") == 0  # whoever knows a name does not lock its owner out


def test_an_address_has_twenty_attempts_a_minute_whatever_the_names():
    attempts = LoginAttempts()
    assert [attempts.seconds_to_wait(f"user{at}", "192.0.2.1") for at in range(20)] == [0] * 20
    assert 50 < attempts.seconds_to_wait("somebody", "192.0.2.1") <= 60
    assert attempts.seconds_to_wait("somebody", "192.0.2.2") == 0


def test_the_right_password_clears_the_attempts_at_its_name_from_its_address_alone():
    attempts = LoginAttempts()
    for name, address in (("ann", "192.0.2.1"), ("bob", "192.0.2.1"), ("ann", "192.0.2.2")):
        for _ in range(5):
            attempts.seconds_to_wait(name, address)
    attempts.succeeded("ANN", "192.0.2.1")
    assert attempts.seconds_to_wait("ann", "192.0.2.1") == 0
    assert attempts.seconds_to_wait("bob", "192.0.2.1") > 0
    assert attempts.seconds_to_wait("ann", "192.0.2.2") > 0


def test_the_last_64_bits_of_an_ipv6_address_are_the_subscribers_own():
    attempts = LoginAttempts()
    for address in ("2001:db8::1", "2001:db8::8000:0:0:1", "2001:db8::ffff:0:0:1", "2001:db8::2", "2001:db8::3"):
        assert attempts.seconds_to_wait("ann", address) == 0
    assert attempts.seconds_to_wait("ann", "2001:db8::4000:0:0:1") > 0
