"""The recommender's own tables, on both engines."""

from apps.recommender import tables
from core.platform.store.schema import Decision


def test_an_event_that_is_sent_again_counts_once(store):
    event = {"app": "films", "owner": "ann", "key": "k1", "kind": "like", "item": "7", "decision_id": None}
    with store.transaction() as session:
        assert tables.add_event(session, event)
        assert not tables.add_event(session, event)
        assert tables.add_event(session, {**event, "owner": "bob"})
        assert tables.add_event(session, {**event, "key": "k2", "item": "8"})
    with store.transaction() as session:
        assert [event.item for event in tables.events(session, "films", "ann")] == ["7", "8"]
        assert tables.take_back_event(session, "films", "ann")
        assert [event.item for event in tables.events(session, "films", "ann")] == ["7"]
        assert tables.forget(session, "films", "ann") == 1
        assert not tables.take_back_event(session, "films", "ann")
        assert len(tables.events(session, "films", "bob")) == 1


def test_what_was_done_last_with_an_item_of_a_list_is_known(store):
    lists = [Decision(app="films", owner="ann", version="v1", state={}, action=[], propensity=1.0) for _ in range(2)]
    done = {"app": "films", "owner": "ann", "item": "7"}
    with store.transaction() as session:
        session.add_all(lists)
        session.flush()
        for key, kind, at in (("a", "hide", 0), ("b", "like", 0), ("c", "hide", 1)):
            tables.add_event(session, {**done, "key": key, "kind": kind, "decision_id": lists[at].id})
        tables.add_event(session, {**done, "key": "d", "kind": "hide", "item": "8", "decision_id": lists[0].id})
    with store.reading() as session:
        assert tables.last_event(session, "ann", lists[0].id, "7").kind == "like"
        assert tables.last_event(session, "ann", lists[1].id, "7").kind == "hide"
        assert tables.last_event(session, "bob", lists[0].id, "7") is None


def test_of_a_long_profile_the_newest_events_count(store, monkeypatch):
    monkeypatch.setattr(tables, "MOST_EVENTS", 4)
    done = [("like", "1"), ("like", "2"), ("like", "3"), ("hide", "2"), ("like", "4"), ("hide", "3")]
    with store.transaction() as session:
        for at, (kind, item) in enumerate(done):
            event = {"app": "films", "owner": "ann", "key": f"{at}", "kind": kind, "item": item, "decision_id": None}
            tables.add_event(session, event)
    with store.reading() as session:
        assert tables.last_events(session, "films", "ann") == [("hide", "2"), ("like", "4"), ("hide", "3")]
