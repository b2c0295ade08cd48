"""Replays of history, and what the detector is worth on one."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from apps.finance_monitor.backtest import backtest
from apps.finance_monitor.replay import Replay, Replays, history
from core.util.errors import SteerError
from tests.finance_monitor.news import NOON, ROW, surge


def test_a_replay_alerts_to_the_planted_surge_and_the_live_monitor_knows_nothing_of_it(live, monitor):
    replay = Replay(live, history(live.current[0].news), datetime(2025, 2, 24, tzinfo=UTC))
    while replay.now < datetime(2025, 3, 7, tzinfo=UTC):
        replay.advance(timedelta(hours=12))
    corvane = [alert for alert in replay.service.alerts(50) if alert.company == "corvane"]
    assert corvane
    assert any("Corvane" in cause.headline for cause in corvane[0].reason.causes)
    assert replay.service.now == replay.now
    assert monitor.now is None
    replay.close()


def test_quiet_time_alone_resolves_an_alert_of_a_replay(live):
    replay = Replay(live, [*surge(), *surge("Borealis", NOON + timedelta(days=30))[:1]], NOON)
    replay.advance(timedelta(hours=12))
    assert [alert.state for alert in replay.service.alerts(5)] == ["open"]
    replay.advance(timedelta(days=4))
    assert [alert.state for alert in replay.service.alerts(5)] == ["resolved"]
    assert not replay.is_finished
    replay.close()


def test_two_replays_have_clocks_of_their_own_and_leave_nothing_behind(monitor):
    replays = Replays(monitor)
    first, second = (replays.start_history(datetime(2025, 1, 21, tzinfo=UTC)) for _ in range(2))
    for replay in (first, second):
        replay.advance(timedelta(0))
    first.advance(timedelta(days=1))
    assert len(second.service.items(500)) < len(first.service.items(500))
    folder = first.service.store.url.database
    replays.leave(first)
    first.advance(timedelta(days=1))  # the last tick of a page that is gone
    with pytest.raises(SteerError):
        first.service.items(1)
    assert folder != second.service.store.url.database
    assert second.service.items(1)
    replays.leave(second)


def test_replays_are_limited_and_idle_ones_make_room(monitor, monkeypatch):
    monkeypatch.setattr("apps.finance_monitor.replay._MOST", 1)
    replays, day = Replays(monitor), datetime(2025, 1, 20, tzinfo=UTC)
    first = replays.start_history(day)
    with pytest.raises(SteerError, match="1 visitors replay news already"):
        replays.start_history(day)
    first.used -= 3_600
    replays.leave(replays.start_history(day))
    assert first.is_closed


def test_the_backtest_never_looks_ahead(live):
    # What the monitor says by a day must not change when everything after that day is taken away.
    items = history(live.current[0].news)
    day = datetime(2025, 2, 14, tzinfo=UTC)
    early = [item for item in items if item.time < day + timedelta(days=7)]
    opened = []
    for some in (early, [item for item in items if item.time < day]):
        replay = Replay(live, some, some[-1].time)
        while not replay.is_finished:
            replay.advance(timedelta(0))
        opened.append({(a.company, a.opened) for a in replay.service.alerts(500) if a.opened < day})
        replay.close()
    assert opened[0] == opened[1] != set()


def test_the_detector_fires_for_nothing_less_often_than_a_dummy(model):
    outcomes = backtest(model, "test")
    detector, dummy = outcomes["learnt detector on stories"], outcomes["every negative headline"]
    assert detector.found >= 3
    assert dummy.found == dummy.surges
    assert detector.false_per_week < dummy.false_per_week / 10


def test_an_uploaded_feed_keeps_the_good_rows_and_names_the_bad(tmp_path, monitor):
    file, replays = tmp_path / "feed.jsonl", Replays(monitor)
    rows = [json.dumps(ROW), "not json", json.dumps({**ROW, "time": "tomorrow"}), json.dumps({**ROW, "headline": ""})]
    other = json.dumps({**ROW, "headline": "Corvane shares fall"})
    file.write_bytes("\n".join(rows).encode() + b"\n\xff\xfe\n" + other.encode())
    replay, good, rejected = replays.start_upload(file)
    assert good == 2
    assert [reason.split(":")[0] for reason in rejected] == ["line 2", "line 3", "line 4", "line 5"]
    replay.advance(timedelta(hours=1))
    assert len(replay.service.items(9)) == 2
    replays.leave(replay)


def test_a_feed_with_no_usable_row_says_what_a_row_looks_like(tmp_path, monitor):
    file = tmp_path / "feed.jsonl"
    file.write_bytes(bytes(range(256)))
    with pytest.raises(SteerError, match="Each line must be a JSON object"):
        Replays(monitor).start_upload(file)


def test_an_upload_that_is_too_much_for_a_visitor_is_refused_with_the_reason(tmp_path, monitor):
    file = tmp_path / "feed.jsonl"
    file.write_text("".join(json.dumps({**ROW, "company": f"Company {number}"}) + "\n" for number in range(1_001)))
    with pytest.raises(SteerError, match=r"about 1,001 companies: keep it under 1,000"):
        Replays(monitor).start_upload(file)
    file.write_text(json.dumps(ROW) + "\n" + " " * 10_000_000)
    with pytest.raises(SteerError, match="too large: keep it under 10 MB"):
        Replays(monitor).start_upload(file)
