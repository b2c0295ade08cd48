"""The recommender's own tables, on both engines."""

from apps.recommender import tables


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
