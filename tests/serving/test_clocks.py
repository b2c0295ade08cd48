"""The system's clock is set back, is behind another server's, or is in another time zone."""

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from itsdangerous import TimestampSigner
from limits import RateLimitItemPerMinute
from sqlalchemy import select

from apps.finance_monitor.feed import item_of
from apps.finance_monitor.tables import News
from core.platform.auth.access import SESSION, Accounts
from core.platform.auth.login_throttle import LoginAttempts
from core.platform.http.limits import Limits, LimitsMiddleware
from core.platform.http.rate_limiter import RateLimiter
from core.platform.store import accounts
from core.platform.store.database import open_store

PASSWORD = "correct horse battery"
HOUR = 3600.0


class Clock:
    """The system's clock, which somebody sets."""

    def __init__(self) -> None:
        self._real, self.offset = time.time, 0.0

    def __call__(self) -> float:
        return self._real() + self.offset


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


@pytest.mark.parametrize("step", [-HOUR, -10.0, HOUR])
def test_who_was_slowed_down_is_not_kept_out_by_a_clock_that_is_set(clock, step):
    attempts = LoginAttempts()
    assert [attempts.seconds_to_wait("ann", "203.0.113.9") for _ in range(5)] == [0] * 5
    assert attempts.seconds_to_wait("ann", "203.0.113.9") > 0
    clock.offset += step
    assert attempts.seconds_to_wait("ann", "203.0.113.9") == 0
    waits = [attempts.seconds_to_wait("ann", "203.0.113.9") for _ in range(5)]
    assert waits[:4] == [0] * 4
    assert 0 < waits[4] <= 60


def test_requests_are_answered_after_the_clock_was_set_back(clock):
    app = FastAPI()
    app.get("/v1/now")(lambda: "now")
    app.add_middleware(LimitsMiddleware, limits=Limits(requests=3))
    client = TestClient(app)
    assert [client.get("/v1/now").status_code for _ in range(4)] == [200, 200, 200, 429]
    clock.offset = -HOUR
    assert [client.get("/v1/now").status_code for _ in range(4)] == [200, 200, 200, 429]


def test_nothing_stays_of_clients_that_stay_away_and_who_keeps_coming_is_counted_on(clock):
    limiter, rate = RateLimiter(), RateLimitItemPerMinute(5)
    for at in range(1000):
        assert limiter.hit(rate, f"192.0.{at // 256}.{at % 256}")
    for _ in range(4):
        clock.offset += 45
        assert [limiter.hit(rate, "ann") for _ in range(2)] == [True] * 2
        limiter.storage.timer.join()  # in which hits expire
    assert len(limiter.storage.events) == len(limiter.storage.locks) == 1
    assert [limiter.hit(rate, "ann") for _ in range(2)] == [True, False]


class _Elsewhere(TimestampSigner):
    """Signs by the clock of a server that is ahead."""

    ahead = timedelta(0)

    def get_timestamp(self) -> int:
        return super().get_timestamp() + int(self.ahead.total_seconds())


@pytest.mark.parametrize(
    ("ahead", "is_known"),
    [
        (timedelta(seconds=2), True),
        (timedelta(hours=1), True),
        (SESSION + timedelta(minutes=1), False),
        (timedelta(days=3650), False),
    ],
)
def test_a_session_of_a_server_whose_clock_is_ahead_counts(tmp_path, ahead, is_known):
    store = open_store(f"sqlite:///{tmp_path / 'steer.db'}")
    with store.transaction() as session:
        accounts.create(session, "ann", PASSWORD, "viewer")
    secret = "a secret of the tests, long enough"
    here, there = Accounts(store, secret), Accounts(store, secret)
    there.sessions.signer = type("Signer", (_Elsewhere,), {"ahead": ahead})
    user = here._of_session(there.log_in("ann", PASSWORD))
    assert (user is not None and user.name == "ann") == is_known
    store.close()


@pytest.fixture(params=["America/New_York", "Asia/Kolkata", "UTC"])
def zone(request, monkeypatch):
    """The server's own time zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield ZoneInfo(request.param)
    monkeypatch.undo()
    time.tzset()


def test_the_hour_that_comes_twice_is_two_hours_and_the_one_that_is_left_out_is_none(store, zone):
    new_york = ZoneInfo("America/New_York")
    twice = [datetime(2026, 11, 1, 1, 30, tzinfo=new_york, fold=fold) for fold in (0, 1)]
    spring = [datetime(2026, 3, 8, hour, 59, tzinfo=new_york) for hour in (1, 3)]
    told = ["2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00"]
    with store.transaction() as session:
        for number, moment in enumerate([*twice, *spring]):
            session.add(News(key=str(number), time=moment, company="x", headline="h"))
        for number, text in enumerate(told):
            row = {"time": text, "company": "x", "headline": "h"}
            session.add(News(**item_of(row, f"told {number}").model_dump()))
    with store.reading() as session:
        kept = dict(session.execute(select(News.key, News.time)).tuples().all())
    assert kept["1"] - kept["0"] == kept["told 1"] - kept["told 0"] == timedelta(hours=1)
    assert kept["0"] == kept["told 0"] == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert kept["3"] - kept["2"] == timedelta(hours=1)
    assert all(moment.utcoffset() == timedelta(0) for moment in kept.values())


def test_what_is_noted_now_is_now_in_any_zone(store, zone):
    with store.transaction() as session:
        session.add(News(key="1", time=datetime.now(zone), company="x", headline="h"))
    with store.reading() as session:
        kept = session.scalars(select(News)).one()
    assert abs(kept.arrived - kept.time) < timedelta(minutes=5)
