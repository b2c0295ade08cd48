"""One monitor: whatever pushes, it is read once, watched, and shown the same to everybody who asks."""

import json
import threading
import time
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from apps.finance_monitor import follow as following
from apps.finance_monitor.app import app
from apps.finance_monitor.engine import Label
from apps.finance_monitor.feed import Item
from apps.finance_monitor.follow import FEED_VARIABLE, follow
from apps.finance_monitor.model import NewsModel
from apps.finance_monitor.replay import PinnedModel, history
from apps.finance_monitor.service import MonitorService
from apps.finance_monitor.tools import tools
from core.platform.auth.access import Principal
from core.platform.store import decisions
from core.rl.explore import Explorer
from core.util.errors import NotFoundError
from tests.finance_monitor.news import BAD, NOON, ROW, surge

ANN = Principal("ann", "agent")


def test_a_surge_is_alerted_once_and_everything_tells_of_it(monitor):
    taken = monitor.push(surge())
    assert taken.new == len(BAD)
    (alert,) = taken.alerts
    assert monitor.push(surge()).model_dump() == {"new": 0, "expired": 0, "alerts": []}
    assert [line.id for line in monitor.alerts(10)] == [alert.id]
    assert monitor.watchlist()[0].company == "Acme"
    assert monitor.watchlist()[0].alerted
    assert sum(monitor.trend("Acme", None, 7)["negative"]) >= len(alert.reason.causes) >= 3
    assert monitor.items(50, sentiment="negative", company="Acme")[0].time > NOON
    assert monitor.items(50, company="nobody") == []
    assert monitor.now == surge()[-1].time


def test_an_acknowledgement_is_kept_with_its_note_and_survives_a_restart(scratch, live, monitor):
    (alert,) = monitor.push(surge()).alerts
    assert monitor.acknowledge(ANN, alert.id, "called the desk").state == "acknowledged"
    monitor.acknowledge(ANN, alert.id, "once more")
    again = MonitorService(scratch, live, Explorer())
    steps = [(step.state, step.who, step.note) for step in again.alert(alert.id).history]
    assert steps == [("open", "monitor", ""), ("acknowledged", "ann", "called the desk")]
    assert again.alert(alert.id).reason == monitor.alert(alert.id).reason
    with pytest.raises(NotFoundError, match="no such alert"):
        again.acknowledge(ANN, 999, "")


def test_a_restart_adds_nothing_to_the_history_of_a_resolved_alert(scratch, live, monitor):
    (alert,) = monitor.push(surge()).alerts
    later = surge()[-1].time + timedelta(days=3)
    monitor.push([Item(key="quiet", time=later, company="Acme", headline="Acme opens a new office")])
    before = monitor.alert(alert.id)
    assert before.state == "resolved"
    assert MonitorService(scratch, live, Explorer()).alert(alert.id) == before


def test_the_revision_changes_with_every_change_and_only_then(scratch, live, monitor):
    other = MonitorService(scratch, live, Explorer())  # of another server on the same store
    seen = [other.revision()]
    assert monitor.revision() == seen[0]
    (alert,) = monitor.push(surge()).alerts
    for change in (lambda: None, lambda: monitor.acknowledge(ANN, alert.id, "")):
        change()
        time.sleep(0.5)  # the store is asked no more often
        seen.append(other.revision())
        assert other.revision() == monitor.revision() == seen[-1]
    assert len(set(seen)) == 3
    assert [line.state for line in other.alerts(5)] == ["acknowledged"]
    assert other.watchlist()[0].alerted


def test_a_correction_names_the_label_that_was_shown(scratch, monitor):
    monitor.push(surge()[:1])
    (item,) = monitor.items(1)
    monitor.correct(ANN, item.id, "deals", "neutral")
    with scratch.reading() as session:
        (judged,) = decisions.judged(session, "finance_monitor")
    assert judged.decision.action == [f"{item.topic}/{item.sentiment}"]
    assert judged.value == -1
    assert dict(judged.feedback[0].about) == {"topic": "deals", "sentiment": "neutral"}


def test_who_corrects_a_label_again_has_changed_their_mind(scratch, monitor):
    monitor.push(surge()[:1])
    (item,) = monitor.items(1)
    for sentiment in ("neutral", "positive"):
        monitor.correct(ANN, item.id, "deals", sentiment)
    with scratch.reading() as session:
        (judged,) = decisions.judged(session, "finance_monitor")
    assert [dict(each.about) for each in judged.feedback] == [{"topic": "deals", "sentiment": "positive"}]


def future(key: str = "typo", time: str = "2199-01-01T00:00:00Z", company: str = "Other") -> Item:
    return Item(key=key, time=time, company=company, headline=f"{company} plant burns down")


def test_news_about_no_company_are_kept_and_folded_and_never_watched(monitor):
    late, early = NOON + timedelta(hours=2), NOON
    for key, moment in (("second", late), ("first", early)):  # the earlier one makes a copy of the one that came before
        monitor.push([Item(key=key, time=moment, company="", headline="A bank files for bankruptcy")])
    assert {(item.headline, item.company, item.is_copy) for item in monitor.items(9)} == {
        ("A bank files for bankruptcy", "", False),
        ("A bank files for bankruptcy", "", True),
    }
    assert monitor.alerts(9) == []
    assert "" not in [watch.company for watch in monitor.watchlist()]


def test_an_item_of_the_future_changes_nothing_but_its_own_line_and_is_named(scratch, live, monitor):
    monitor.push(surge())
    before = (monitor.now, monitor.watchlist(), monitor.trend(None, None, 28), monitor.alerts(9))
    with capture_logs() as log:
        taken = monitor.push([future(company="Acme"), *(future(f"{n}", company="Acme") for n in range(9))])
    assert (taken.new, taken.alerts) == (10, [])
    assert log[0]["key"] == "typo"
    monitor.tick()
    again = MonitorService(scratch, live, Explorer())
    for some in (monitor, again):
        assert (some.watchlist(), some.trend(None, None, 28), some.alerts(9)) == before[1:]
        shown = some.items(50)
        assert [item.is_ahead for item in shown] == [True] * 10 + [False] * len(BAD)  # it stands where it arrived
        assert all(item.sentiment for item in shown)
    assert again.now == before[0]


def test_news_behind_an_item_of_the_future_are_read_and_alert_before_and_after_a_restart(scratch, live, monitor):
    monitor.push([future()])
    assert monitor.now is None
    assert [alert.company for alert in monitor.push(surge()).alerts] == ["Acme"]
    again = MonitorService(scratch, live, Explorer())
    assert [alert.company for alert in again.push(surge("Borealis")).alerts] == ["Borealis"]
    assert all(item.sentiment for item in again.items(50))


def test_an_item_of_the_future_counts_from_its_time_on(scratch, live):
    present = NOON
    monitor = MonitorService(scratch, live, Explorer(), present=lambda: present)
    assert monitor.push(surge(start=NOON + timedelta(hours=1))).alerts == []
    assert monitor.now is None
    present += timedelta(hours=9)
    again = MonitorService(scratch, live, Explorer(), present=lambda: present)
    monitor.tick()
    assert [alert.state for alert in monitor.alerts(9)] == ["open"]
    assert again.alerts(9) == monitor.alerts(9)
    assert [step.state for step in monitor.alert(1).history] == ["open"]
    assert not any(item.is_ahead for item in monitor.items(50))
    assert monitor.watchlist()[0].volume == len(BAD)


@pytest.mark.parametrize("late_hours", [72, 5, 1.5, -3.5, 30, 24 * 400])
def test_a_late_item_in_a_surge_leaves_its_alert_open_and_the_next_restart_agrees(scratch, live, monitor, late_hours):
    monitor.push(surge()[:6])
    late = NOON - timedelta(hours=late_hours)
    for item in (Item(key="late", time=late, company="Acme", headline="Acme mine is flooded"), *surge()[6:]):
        monitor.push([item])
        (alert,) = monitor.alerts(9)
        assert alert.state == "open"
        assert alert.reason.hours >= 0
        assert [cause.time for cause in alert.reason.causes] == sorted(cause.time for cause in alert.reason.causes)
    assert MonitorService(scratch, live, Explorer()).alerts(9) == monitor.alerts(9)


def test_a_surge_that_arrives_late_opens_a_late_alert_of_its_own_hours(monitor):
    monitor.push(surge())
    (late,) = monitor.push(surge("Late", NOON - timedelta(days=20))).alerts
    assert (late.company, late.state) == ("Late", "resolved")
    assert late.opened < NOON - timedelta(days=19)
    assert [step.state for step in monitor.alert(late.id).history] == ["open", "resolved"]
    assert {alert.company: alert.state for alert in monitor.alerts(9)} == {"Acme": "open", "Late": "resolved"}


def test_news_of_others_let_the_clock_run_which_resolves_an_alert(monitor):
    monitor.push(surge())
    last = surge()[-1].time
    for hours, state in ((30, "open"), (48, "resolved")):
        time = last + timedelta(hours=hours)
        monitor.push([Item(key=f"other {hours}", time=time, company="Other", headline="Other opens a new office")])
        assert [alert.state for alert in monitor.alerts(9)] == [state]


def test_quiet_resolves_an_alert_by_the_clock_though_nothing_at_all_is_published(scratch, live):
    present = NOON + timedelta(days=200)  # news of long ago are not past because they are loaded today
    servers = [MonitorService(scratch, live, Explorer(), present=lambda: present) for _ in range(2)]
    servers[0].push(surge())
    for hours, state in ((1, "open"), (34, "open"), (38, "resolved")):
        present = NOON + timedelta(days=200, hours=hours)
        for server in servers:
            server.tick()
            assert [alert.state for alert in server.alerts(9)] == [state]
    restarted = MonitorService(scratch, live, Explorer(), present=lambda: present)
    restarted.tick()
    assert [step.state for step in restarted.alert(1).history] == ["open", "resolved"]


def test_a_server_ticks_by_itself(scratch, live, monkeypatch):
    present = NOON + timedelta(hours=8)
    monitor = MonitorService(scratch, live, Explorer(), present=lambda: present)
    monitor.push(surge())
    stop = threading.Event()
    monkeypatch.setattr(following, "_TICK", 0.05)
    thread = threading.Thread(target=app.jobs["clock"], args=(monitor, stop))
    thread.start()
    present += timedelta(days=2)
    eventually(lambda: monitor.alerts(9)[0].state == "resolved")
    stop.set()
    thread.join(timeout=10)
    assert not thread.is_alive()


def test_news_that_were_late_wake_an_alert_that_the_clock_had_resolved(scratch, live):
    present = NOON + timedelta(hours=8)
    monitor = MonitorService(scratch, live, Explorer(), present=lambda: present)
    monitor.push(surge())
    present += timedelta(hours=36)
    monitor.tick()
    assert monitor.alerts(9)[0].state == "resolved"
    monitor.push([Item(key="late", time=NOON + timedelta(hours=30), company="Acme", headline="Acme mine is flooded")])
    steps = [(step.state, step.note) for step in monitor.alert(1).history]
    assert steps == [("open", ""), ("resolved", ""), ("open", "woken by news that came late")]
    again = MonitorService(scratch, live, Explorer(), present=lambda: present)
    again.tick()
    assert again.alert(1) == monitor.alert(1)


def test_a_restart_rewrites_nothing_of_the_shipped_history(scratch, live, monitor):
    items = history(live.current[0].news)
    for at in range(0, len(items), 200):
        monitor.push(items[at : at + 200])
    before = [monitor.alert(alert.id) for alert in monitor.alerts(500)]
    assert len(before) > 5
    again = MonitorService(scratch, live, Explorer())
    assert [again.alert(alert.id) for alert in again.alerts(500)] == before
    assert again.watchlist() == monitor.watchlist()
    assert [item.is_copy for item in again.items(500)] == [item.is_copy for item in monitor.items(500)]


def test_what_was_read_stays_read_whatever_version_serves_after_a_restart(scratch, live, monitor):
    class Other(NewsModel):
        """A version that sees the same news in another light."""

        def __init__(self, model: NewsModel) -> None:
            self.__dict__ = model.__dict__

        def labels(self, news):
            return [Label("legal", "positive", {"negative": 0.0, "neutral": 0.0, "positive": 1.0}, 1.0) for _ in news]

    monitor.push(surge())
    other = PinnedModel((Other(live.current[0]), "v0002"))
    again = MonitorService(scratch, other, Explorer())
    assert (again.alerts(9), again.items(9), again.watchlist()) == (
        monitor.alerts(9),
        monitor.items(9),
        monitor.watchlist(),
    )
    later = Item(key="later", time=surge()[-1].time, company="Acme", headline="Acme mine is flooded")
    assert again.push([later]).new == 1
    assert again.items(1)[0].sentiment == "positive"
    assert monitor.catch_up() == []
    assert monitor.alerts(9) == again.alerts(9)
    assert monitor.items(9) == again.items(9)


def test_the_watchlist_has_a_bounded_number_of_lines_and_those_that_matter(monitor):
    known = {company.id for company in monitor.companies}
    many = [
        Item(key=str(number), time=NOON, company=f"Company {number}", headline="opens a new office")
        for number in range(600)
    ]
    monitor.push([*many, *surge()])
    lines = [line.company for line in monitor.watchlist()]
    assert lines[0] == "Acme"
    assert known < set(lines)
    assert len(lines) <= 500 + len(known)


@pytest.mark.parametrize(("count", "expected"), [(float("inf"), 2), (float("nan"), 1), (-float("inf"), 1), (0.5, 1)])
def test_the_tool_lists_alerts_whatever_number_a_model_asks_for(monitor, count, expected):
    monitor.push([*surge(), *surge("Borealis")])
    read_headline, news_alerts = tools(monitor)
    assert len(news_alerts(count)) == expected
    assert read_headline(surge()[0].headline, "Acme")["sentiment"] == "negative"


def eventually(holds, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.05)
    assert holds()


def test_servers_that_follow_one_feed_keep_each_item_once_and_outlive_its_absence(
    tmp_path, scratch, live, monitor, monkeypatch
):
    file, stop = tmp_path / "feed.jsonl", threading.Event()
    monkeypatch.setenv(FEED_VARIABLE, str(file))
    monkeypatch.setattr(following, "_LONGEST_PAUSE", 0.5)
    servers = [monitor, MonitorService(scratch, live, Explorer())]
    threads = [threading.Thread(target=follow, args=(server, stop)) for server in servers]
    for thread in threads:
        thread.start()
    time.sleep(0.7)  # there is no file yet
    file.write_text(json.dumps(ROW) + "\nnot json\n" + json.dumps({**ROW, "key": "own"})[:20])
    eventually(lambda: len(monitor.items(9)) == 1)
    with file.open("a") as stream:
        stream.write(json.dumps({**ROW, "key": "own"})[20:] + "\n" + json.dumps(ROW) + "\n")
    eventually(lambda: len(monitor.items(9)) == 2)
    time.sleep(1.0)
    stop.set()
    for thread in threads:
        thread.join(timeout=10)
        assert not thread.is_alive()
    assert len(monitor.items(9)) == 2
    assert all(item.sentiment for item in monitor.items(9))
