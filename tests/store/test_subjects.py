"""The queries of each subject, on both engines."""

from datetime import UTC, datetime, timedelta

import pytest

from core.platform.store import catalogue, conversations, decisions, news
from core.platform.store.schema import Decision, Turn

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def exchange(text: str, key: str | None = None) -> list[Turn]:
    return [Turn(role="user", text=text, key=key), Turn(role="assistant", text=f"re: {text}", key=key)]


def chat(store):
    with store.transaction() as session:
        return conversations.start(session, "support", "ann")


def test_turns_stand_in_their_order(store):
    talk = chat(store)
    with store.transaction() as session:
        conversations.append(session, talk.id, 0, exchange("one"))
        conversations.append(session, talk.id, 2, exchange("two"))
    with store.reading() as session:
        assert [turn.text for turn in conversations.turns(session, talk.id)] == ["one", "re: one", "two", "re: two"]
        assert [turn.text for turn in conversations.last_turns(session, talk.id, 3)] == ["re: one", "two", "re: two"]


def test_the_answer_to_a_message_is_found_by_its_key(store):
    talk, other = chat(store), chat(store)
    with store.transaction() as session:
        conversations.append(session, talk.id, 0, exchange("one", "first") + exchange("two", "second"))
    with store.reading() as session:
        assert conversations.answer_to(session, talk.id, "second").text == "re: two"
        assert conversations.answer_to(session, talk.id, "third") is None
        assert conversations.answer_to(session, other.id, "second") is None


def test_who_answers_an_outdated_conversation_is_told(store):
    talk = chat(store)
    with store.transaction() as session:
        assert conversations.claim(session, talk.id, 0)
        conversations.append(session, talk.id, 0, exchange("first"))
    with store.transaction() as session:
        assert not conversations.claim(session, talk.id, 0)
        assert conversations.claim(session, talk.id, 2)
        conversations.remove(session, talk.id)
        assert not conversations.claim(session, talk.id, 0)


def test_the_last_message_can_be_taken_back_down_to_nothing(store):
    talk = chat(store)
    with store.transaction() as session:
        conversations.append(session, talk.id, 0, exchange("one") + exchange("two"))
    for text in ("two", "one", None):
        with store.transaction() as session:
            assert conversations.take_back(session, talk.id) == text
    with store.reading() as session:
        assert conversations.turns(session, talk.id) == []


def test_a_conversation_is_found_by_its_app_and_id_alone(store):
    talk = chat(store)
    with store.reading() as session:
        assert conversations.find(session, "support", talk.id).owner == "ann"
        assert conversations.find(session, "other", talk.id) is None
        assert conversations.find(session, "support", "' OR 1=1 --") is None
        assert conversations.newest(session, "support", "bob", 10) == []
        assert len(conversations.newest(session, "support", None, 10)) == 1


def test_a_removed_conversation_is_gone_and_its_decisions_stay(store):
    talk = chat(store)
    decision = Decision(app="support", owner="ann", version="v1", state={"a": [1]}, action=[2], propensity=0.5)
    with store.transaction() as session:
        session.add(decision)
        session.flush()
        conversations.append(session, talk.id, 0, [Turn(role="user", text="x", decision_id=decision.id)])
    with store.transaction() as session:
        conversations.remove(session, talk.id)
    with store.reading() as session:
        assert conversations.find(session, "support", talk.id) is None
        assert conversations.turns(session, talk.id) == []
        assert decisions.count(session, "support") == 1


def test_the_newest_opinion_of_each_person_counts(store):
    made = {"app": "support", "owner": "ann", "version": "v1", "state": {"said": ["ü"]}, "action": [0]}
    with store.transaction() as session:
        decision = decisions.keep(session, **made, propensity=1.0)
        decisions.judge(session, decision, "ann", 1.0, {})
        decisions.judge(session, decision, "ann", -1.0, {"why": "no"})
        decisions.judge(session, decision, "bob", 0.0, {})
    with store.reading() as session:
        (judged,) = decisions.judged(session, "support")
        assert judged.value == -0.5
        assert judged.decision.state == {"said": ["ü"]}
        assert judged.decision.id == decision
        assert datetime.now(UTC) - judged.decision.time < timedelta(minutes=1)
        assert decisions.judged(session, "other") == []
        assert decisions.judged(session, "support", datetime.now(UTC) + timedelta(seconds=5)) == []


def test_what_people_do_with_the_items_of_a_decision_judges_it_too(store):
    shown = [
        Decision(app="films", owner="ann", version="v1", time=NOON + timedelta(minutes=at), state={}, action=[at],
                 propensity=1.0)
        for at in range(3)
    ]  # fmt: skip
    event = {"app": "films", "owner": "ann", "kind": "like", "item": "7"}
    with store.transaction() as session:
        session.add_all(reversed(shown))
        session.flush()
        for key, kind, at in [("a", "like", 2), ("b", "hide", 2), ("c", "like", 2), ("d", "hide", 0)]:
            catalogue.add_event(session, {**event, "key": key, "kind": kind, "decision_id": shown[at].id})
    with store.reading() as session:
        judged = decisions.judged(session, "films")
        assert [each.decision.id for each in judged] == [shown[0].id, shown[2].id]
        assert [each.value for each in judged] == [-1.0, pytest.approx(1 / 3)]
        assert [event.kind for event in judged[1].events] == ["like", "hide", "like"]
        assert decisions.judged(session, "films", until=NOON) == []
        assert [each.id for each in decisions.made(session, "films", NOON)] == [shown[1].id, shown[2].id]


def test_an_event_that_is_sent_again_counts_once(store):
    event = {"app": "films", "owner": "ann", "key": "k1", "kind": "like", "item": "7", "decision_id": None}
    with store.transaction() as session:
        assert catalogue.add_event(session, event)
        assert not catalogue.add_event(session, event)
        assert catalogue.add_event(session, {**event, "owner": "bob"})
        assert catalogue.add_event(session, {**event, "key": "k2", "item": "8"})
    with store.transaction() as session:
        assert [event.item for event in catalogue.events(session, "films", "ann")] == ["7", "8"]
        assert catalogue.take_back_event(session, "films", "ann")
        assert [event.item for event in catalogue.events(session, "films", "ann")] == ["7"]
        assert catalogue.forget(session, "films", "ann") == 1
        assert not catalogue.take_back_event(session, "films", "ann")
        assert len(catalogue.events(session, "films", "bob")) == 1


def test_documents_are_replaced_by_their_key_and_paged(store):
    several = [{"key": f"a{at:04}", "title": "t", "body": "b", "attributes": {}} for at in range(1100)]
    with store.transaction() as session:
        catalogue.put_documents(session, "support", several)
        catalogue.put_documents(session, "support", [{**several[3], "body": "changed"}])
    with store.reading() as session:
        assert catalogue.document(session, "support", "a0003").body == "changed"
        assert [d.key for d in catalogue.documents(session, "support", 2, after="a0010")] == ["a0011", "a0012"]
        assert len(catalogue.documents(session, "support", 5000)) == 1100


def headline(key: str, hours: int = 0) -> dict:
    return {"key": key, "time": NOON + timedelta(hours=hours), "company": "acme", "headline": f"news {key}"}


def test_news_count_once_and_come_in_the_order_of_arrival(store):
    with store.transaction() as session:
        assert [item.key for item in news.add(session, [headline("b", 2), headline("a", 1)])] == ["b", "a"]
        assert [item.key for item in news.add(session, [headline("a", 1), headline("c", 0)])] == ["c"]
    with store.reading() as session:
        items = news.behind(session, 0, 10)
        assert [item.key for item in items] == ["b", "a", "c"]
        assert [item.key for item in news.behind(session, items[0].id, 1)] == ["a"]
        assert [item.key for item in news.behind(session, 0, 10, since=NOON + timedelta(hours=1))] == ["b", "a"]
        assert news.latest_time(session) == NOON + timedelta(hours=2)


def test_the_score_of_the_latest_version_is_shown(store):
    with store.transaction() as session:
        (item,) = news.add(session, [headline("a")])
        score = {"news_id": item.id, "topic": "legal", "sentiment": "negative", "probabilities": {"negative": 0.9}}
        news.put_scores(session, [{**score, "version": "v0001"}])
        news.put_scores(session, [{**score, "version": "v0002", "sentiment": "neutral"}])
    with store.reading() as session:
        ((_, newest),) = news.newest(session, "acme", 5)
        assert (newest.version, newest.sentiment) == ("v0002", "neutral")
        assert news.newest(session, "nobody", 5) == []


def test_an_alert_is_one_however_often_the_news_are_read(store):
    surge = {"key": "acme@noon", "company": "acme", "opened": NOON, "state": "open", "severity": "raised", "reason": {}}
    with store.transaction() as session:
        first = news.keep_alert(session, surge, "monitor")
        news.change_alert(session, news.alert(session, first.id), "acknowledged", "ann", "seen")
    with store.transaction() as session:
        again = news.keep_alert(session, {**surge, "severity": "severe"}, "monitor")
        assert (again.id, again.state, again.severity) == (first.id, "acknowledged", "severe")
        other = news.keep_alert(session, {**surge, "key": "zeta@noon", "company": "zeta"}, "monitor")
        news.keep_alert(session, {**surge, "state": "resolved"}, "monitor")
    assert (again.state, other.company) == ("resolved", "zeta")  # readable behind the transaction
    with store.reading() as session:
        _, alert = sorted(news.alerts(session, 5), key=lambda alert: alert.company, reverse=True)
        assert [change.state for change in news.history(session, alert)] == ["open", "acknowledged", "resolved"]
        assert [change.who for change in news.history(session, alert)] == ["monitor", "ann", "monitor"]
