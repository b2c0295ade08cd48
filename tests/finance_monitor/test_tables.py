"""The monitor's own tables, on both engines."""

from datetime import UTC, datetime, timedelta

from apps.finance_monitor import tables

APP = "finance_monitor"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def headline(key: str, hours: int = 0) -> dict:
    return {"key": key, "time": NOON + timedelta(hours=hours), "company": "acme", "headline": f"news {key}"}


def score(number: int, copy_of: int = 0, version: str = "v0001", **others) -> dict:
    row = {"news_id": number, "version": version, "topic": "legal", "sentiment": "negative"}
    return {**row, "probabilities": {"negative": 0.9}, "copy_of": copy_of, **others}


def test_news_count_once_and_come_in_the_order_of_arrival(store):
    with store.transaction() as session:
        assert [item.key for item in tables.add(session, APP, [headline("b", 2), headline("a", 1)])] == ["b", "a"]
        assert [item.key for item in tables.add(session, APP, [headline("a", 1), headline("c", 0)])] == ["c"]
    with store.reading() as session:
        items = tables.behind(session, APP, 0, 10)
        assert [item.key for item in items] == ["b", "a", "c"]
        assert [item.key for item in tables.behind(session, APP, items[0].id, 1)] == ["a"]


def test_an_item_is_read_once_and_who_comes_second_finds_that(store):
    with store.transaction() as session:
        (item,) = tables.add(session, APP, [headline("a")])
        tables.keep_scores(session, [score(item.id)])
        tables.keep_scores(session, [score(item.id, version="v0002", sentiment="neutral")])
    with store.reading() as session:
        (read,) = tables.readings(session, [item.id, 99])
        assert (read.version, read.sentiment, read.copy_of) == ("v0001", "negative", 0)
        ((_, newest),) = tables.newest(session, APP, "acme", 5)
        assert (newest.version, newest.sentiment) == ("v0001", "negative")
        assert tables.newest(session, APP, "nobody", 5) == []


def test_a_score_of_before_there_were_copies_is_read_again(store):
    with store.transaction() as session:
        first, second = tables.add(session, APP, [headline("a"), headline("b")])
        old = {key: value for key, value in score(first.id).items() if key != "copy_of"}
        session.add_all([tables.Score(**old), tables.Score(**{**old, "news_id": second.id})])
    with store.transaction() as session:
        assert tables.readings(session, [first.id, second.id]) == []
        tables.keep_scores(session, [score(first.id), score(second.id, first.id, "v0002")])
    with store.reading() as session:
        read = tables.readings(session, [first.id, second.id])
        assert {(row.news_id, row.version, row.copy_of) for row in read} == {
            (first.id, "v0001", 0),
            (second.id, "v0002", first.id),
        }


def test_a_late_item_makes_copies_once(store):
    with store.transaction() as session:
        first, second, third, late, later = tables.add(session, APP, [headline(key) for key in "abcde"])
        tables.keep_scores(session, [score(first.id), score(second.id, first.id), score(third.id)])
        tables.keep_scores(session, [score(late.id, copies=[first.id, second.id])])
        tables.keep_scores(session, [score(later.id, copies=[first.id, third.id])])
        tables.keep_scores(session, [score(late.id, copies=[third.id])])  # was read already
    with store.reading() as session:
        assert [row.news_id for row in tables.copies(session, [late.id])] == [first.id]
        assert [row.news_id for row in tables.copies(session, [later.id])] == [third.id]
        assert [row.news_id for row in tables.copies(session, [first.id])] == [second.id]


def test_an_item_of_the_future_stands_where_it_arrived(store):
    with store.transaction() as session:
        for key, time, arrived in (("old", 0, 0), ("ahead", 10_000, 3), ("ahead too", 9_000, 1), ("new", 4, 4)):
            moment = NOON + timedelta(hours=arrived)
            tables.add(session, APP, [{**headline(key, time), "arrived": moment}])
    with store.reading() as session:
        present = NOON + timedelta(hours=5)
        shown = [item.key for item, _ in tables.newest(session, APP, None, 9, present=present)]
        assert shown == ["new", "ahead", "ahead too", "old"]
        assert [item.key for item, _ in tables.newest(session, APP, "acme", 1, present=present)] == ["new"]


def test_an_alert_is_one_however_often_the_news_are_read(store):
    surge = {"key": "acme@noon", "company": "acme", "opened": NOON, "state": "open", "severity": "raised", "reason": {}}
    with store.transaction() as session:
        first, before = tables.keep_alert(session, APP, surge, "monitor")
        assert before == ""
        tables.change_alert(session, tables.alert(session, APP, first.id), "acknowledged", "ann", "seen")
    with store.transaction() as session:
        again, before = tables.keep_alert(session, APP, {**surge, "severity": "severe"}, "monitor")
        assert (again.id, again.state, again.severity, before) == (first.id, "acknowledged", "severe", "raised")
        other, _ = tables.keep_alert(session, APP, {**surge, "key": "zeta@noon", "company": "zeta"}, "monitor")
        tables.keep_alert(session, APP, {**surge, "state": "resolved"}, "monitor")
    assert (again.state, other.company) == ("resolved", "zeta")  # readable behind the transaction
    with store.reading() as session:
        _, alert = sorted(tables.alerts(session, APP, 5), key=lambda alert: alert.company, reverse=True)
        assert [change.state for change in tables.history(session, alert)] == ["open", "acknowledged", "resolved"]
        assert [change.who for change in tables.history(session, alert)] == ["monitor", "ann", "monitor"]


def test_an_alert_that_is_found_again_as_it_once_was_does_not_go_back(store):
    past = {"key": "acme@noon", "company": "acme", "opened": NOON, "state": "open", "severity": "raised", "reason": {}}
    with store.transaction() as session:
        tables.keep_alert(session, APP, past, "monitor")
        tables.keep_alert(session, APP, {**past, "state": "resolved", "severity": "severe"}, "monitor")
        kept, _ = tables.keep_alert(session, APP, past, "monitor")
        assert (kept.state, kept.severity) == ("resolved", "severe")
        assert [change.state for change in tables.history(session, kept)] == ["open", "resolved"]


def test_only_who_has_read_further_changes_an_alert_or_wakes_it(store):
    surge = {"key": "acme@noon", "company": "acme", "opened": NOON, "state": "open", "severity": "raised", "reason": {}}
    with store.transaction() as session:
        tables.keep_alert(session, APP, {**surge, "changed": 5, "reason": {"hours": 5}}, "monitor")
        tables.keep_alert(session, APP, {**surge, "changed": 4, "reason": {"hours": 4}}, "monitor")
        kept, _ = tables.keep_alert(session, APP, {**surge, "changed": 4, "state": "resolved"}, "monitor")
        assert (kept.reason, kept.state, kept.changed) == ({"hours": 5}, "resolved", 5)
        kept, _ = tables.keep_alert(session, APP, {**surge, "changed": 5}, "monitor")
        assert kept.state == "resolved"
        earlier = NOON - timedelta(hours=1)
        kept, _ = tables.keep_alert(
            session, APP, {**surge, "changed": 6, "opened": earlier, "reason": {"hours": 6}}, "m"
        )
        assert (kept.state, kept.opened, kept.reason) == ("open", earlier, {"hours": 6})
        steps = [(step.state, step.note) for step in tables.history(session, kept)]
        assert steps == [("open", ""), ("resolved", ""), ("open", "woken by news that came late")]


def test_an_alert_that_is_over_when_it_is_told_has_opened_too(store):
    surge = {"key": "a", "company": "a", "opened": NOON, "state": "resolved", "severity": "raised", "reason": {}}
    with store.transaction() as session:
        kept, before = tables.keep_alert(session, APP, surge, "monitor")
        assert (kept.state, before) == ("resolved", "")
        assert [step.state for step in tables.history(session, kept)] == ["open", "resolved"]


def test_the_stream_can_be_filtered_by_what_the_latest_version_says(store):
    with store.transaction() as session:
        first, second, _ = tables.add(session, APP, [headline("a"), headline("b", 1), headline("c", 2)])
        session.add_all(
            tables.Score(**score(item.id, version=version, sentiment=sentiment))
            for item, version, sentiment in (
                (first, "v0001", "negative"), (second, "v0001", "negative"), (second, "v0002", "neutral"),
            )
        )  # fmt: skip
    with store.reading() as session:
        assert [item.key for item, _ in tables.newest(session, APP, None, 9)] == ["c", "b", "a"]
        assert [item.key for item, _ in tables.newest(session, APP, None, 9, topic="legal")] == ["b", "a"]
        assert [item.key for item, _ in tables.newest(session, APP, None, 9, sentiment="negative")] == ["a"]


def test_the_revision_moves_with_news_and_with_steps_of_alerts(store):
    with store.transaction() as session:
        assert tables.revision(session, APP) == (0, 0)
        (item,) = tables.add(session, APP, [headline("a")])
        assert tables.revision(session, APP) == (item.id, 0)
        alert = {"key": "a@noon", "company": "a", "opened": NOON, "state": "open", "severity": "raised", "reason": {}}
        tables.keep_alert(session, APP, alert, "monitor")
        assert tables.revision(session, APP) == (item.id, 1)
