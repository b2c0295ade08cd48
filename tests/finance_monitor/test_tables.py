"""The monitor's own tables, on both engines."""

from datetime import UTC, datetime, timedelta

from apps.finance_monitor import tables

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def headline(key: str, hours: int = 0) -> dict:
    return {"key": key, "time": NOON + timedelta(hours=hours), "company": "acme", "headline": f"news {key}"}


def test_news_count_once_and_come_in_the_order_of_arrival(store):
    with store.transaction() as session:
        assert [item.key for item in tables.add(session, [headline("b", 2), headline("a", 1)])] == ["b", "a"]
        assert [item.key for item in tables.add(session, [headline("a", 1), headline("c", 0)])] == ["c"]
    with store.reading() as session:
        items = tables.behind(session, 0, 10)
        assert [item.key for item in items] == ["b", "a", "c"]
        assert [item.key for item in tables.behind(session, items[0].id, 1)] == ["a"]
        assert [item.key for item in tables.behind(session, 0, 10, since=NOON + timedelta(hours=1))] == ["b", "a"]
        assert tables.latest_time(session) == NOON + timedelta(hours=2)


def test_the_score_of_the_latest_version_is_shown(store):
    with store.transaction() as session:
        (item,) = tables.add(session, [headline("a")])
        score = {"news_id": item.id, "topic": "legal", "sentiment": "negative", "probabilities": {"negative": 0.9}}
        tables.put_scores(session, [{**score, "version": "v0001"}])
        tables.put_scores(session, [{**score, "version": "v0002", "sentiment": "neutral"}])
    with store.reading() as session:
        ((_, newest),) = tables.newest(session, "acme", 5)
        assert (newest.version, newest.sentiment) == ("v0002", "neutral")
        assert tables.newest(session, "nobody", 5) == []


def test_an_alert_is_one_however_often_the_news_are_read(store):
    surge = {"key": "acme@noon", "company": "acme", "opened": NOON, "state": "open", "severity": "raised", "reason": {}}
    with store.transaction() as session:
        first, before = tables.keep_alert(session, surge, "monitor")
        assert before == ""
        tables.change_alert(session, tables.alert(session, first.id), "acknowledged", "ann", "seen")
    with store.transaction() as session:
        again, before = tables.keep_alert(session, {**surge, "severity": "severe"}, "monitor")
        assert (again.id, again.state, again.severity, before) == (first.id, "acknowledged", "severe", "raised")
        other, _ = tables.keep_alert(session, {**surge, "key": "zeta@noon", "company": "zeta"}, "monitor")
        tables.keep_alert(session, {**surge, "state": "resolved"}, "monitor")
    assert (again.state, other.company) == ("resolved", "zeta")  # readable behind the transaction
    with store.reading() as session:
        _, alert = sorted(tables.alerts(session, 5), key=lambda alert: alert.company, reverse=True)
        assert [change.state for change in tables.history(session, alert)] == ["open", "acknowledged", "resolved"]
        assert [change.who for change in tables.history(session, alert)] == ["monitor", "ann", "monitor"]


def test_an_alert_that_is_found_again_as_it_once_was_does_not_go_back(store):
    past = {"key": "acme@noon", "company": "acme", "opened": NOON, "state": "open", "severity": "raised", "reason": {}}
    with store.transaction() as session:
        tables.keep_alert(session, past, "monitor")
        tables.keep_alert(session, {**past, "state": "resolved", "severity": "severe"}, "monitor")
        kept, _ = tables.keep_alert(session, past, "monitor")
        assert (kept.state, kept.severity) == ("resolved", "severe")
        assert [change.state for change in tables.history(session, kept)] == ["open", "resolved"]


def test_the_stream_can_be_filtered_by_what_the_latest_version_says(store):
    with store.transaction() as session:
        first, second, _ = tables.add(session, [headline("a"), headline("b", 1), headline("c", 2)])
        score = {"version": "v0001", "topic": "legal", "probabilities": {}}
        tables.put_scores(session, [{**score, "news_id": first.id, "sentiment": "negative"}])
        tables.put_scores(session, [{**score, "news_id": second.id, "sentiment": "negative"}])
        tables.put_scores(session, [{**score, "news_id": second.id, "sentiment": "neutral", "version": "v0002"}])
    with store.reading() as session:
        assert [item.key for item, _ in tables.newest(session, None, 9)] == ["c", "b", "a"]
        assert [item.key for item, _ in tables.newest(session, None, 9, topic="legal")] == ["b", "a"]
        assert [item.key for item, _ in tables.newest(session, None, 9, sentiment="negative")] == ["a"]


def test_the_revision_moves_with_news_and_with_steps_of_alerts(store):
    with store.transaction() as session:
        assert tables.revision(session) == (0, 0)
        (item,) = tables.add(session, [headline("a")])
        assert tables.revision(session) == (item.id, 0)
        alert = {"key": "a@noon", "company": "a", "opened": NOON, "state": "open", "severity": "raised", "reason": {}}
        tables.keep_alert(session, alert, "monitor")
        assert tables.revision(session) == (item.id, 1)
