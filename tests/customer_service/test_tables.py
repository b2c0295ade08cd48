"""The bot's own tables, on both engines."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from apps.customer_service import tables
from apps.customer_service.tables import Turn
from core.platform.store import decisions


def exchange(text: str, key: str | None = None) -> list[Turn]:
    return [Turn(role="user", text=text, key=key), Turn(role="assistant", text=f"re: {text}", key=key)]


def chat(store):
    with store.transaction() as session:
        return tables.start(session, "support", "ann")


def test_turns_stand_in_their_order(store):
    talk = chat(store)
    with store.transaction() as session:
        tables.append(session, talk.id, 0, exchange("one"))
        tables.append(session, talk.id, 2, exchange("two"))
    with store.reading() as session:
        assert [turn.text for turn in tables.turns(session, talk.id)] == ["one", "re: one", "two", "re: two"]
        assert [turn.text for turn in tables.last_turns(session, talk.id, 3)] == ["re: one", "two", "re: two"]


def test_some_turns_are_read_behind_the_first_ones(store):
    talk = chat(store)
    with store.transaction() as session:
        tables.append(session, talk.id, 0, exchange("one") + exchange("two"))
    with store.reading() as session:
        assert [turn.text for turn in tables.turns(session, talk.id, limit=2, offset=1)] == ["re: one", "two"]
        assert [turn.text for turn in tables.turns(session, talk.id, offset=3)] == ["re: two"]


def test_a_conversation_may_begin_under_a_given_id(store):
    with store.transaction() as session:
        assert tables.start(session, "support", "ann", "given").id == "given"
    with store.reading() as session:
        assert tables.find(session, "support", "given").owner == "ann"
    assert chat(store).id != chat(store).id


def test_a_conversation_is_as_old_as_its_last_message_or_as_its_beginning_without_one(store):
    noon, minute = datetime(2026, 3, 1, 12, tzinfo=UTC), timedelta(minutes=1)
    spoken = {"empty": [], "silent": [1, 2], "lively": [1, 9]}
    with store.transaction() as session:
        for identity, moments in spoken.items():
            session.add(tables.Conversation(id=identity, app="support", owner="ann", created=noon))
            session.flush()
            for number, at in enumerate(moments):
                turn = {"conversation_id": identity, "number": number, "role": "user", "text": "x"}
                session.add(Turn(**turn, time=noon + at * minute))
    with store.reading() as session:

        def expired(before: datetime) -> list[str]:
            found = select(tables.Conversation.id).where(tables.Conversation.expired(before))
            return list(session.scalars(found.order_by(tables.Conversation.id)))

        assert expired(noon) == []
        assert expired(noon + minute) == expired(noon + 2 * minute) == ["empty"]
        assert expired(noon + 3 * minute) == expired(noon + 9 * minute) == ["empty", "silent"]
        assert expired(noon + 10 * minute) == ["empty", "lively", "silent"]


def test_the_answer_to_a_message_is_found_by_its_key(store):
    talk, other = chat(store), chat(store)
    with store.transaction() as session:
        tables.append(session, talk.id, 0, exchange("one", "first") + exchange("two", "second"))
    with store.reading() as session:
        assert [turn.text for turn in tables.exchange(session, talk.id, "second")] == ["two", "re: two"]
        assert tables.exchange(session, talk.id, "third") == []
        assert tables.exchange(session, other.id, "second") == []


def test_who_answers_an_outdated_conversation_is_told(store):
    talk = chat(store)
    with store.transaction() as session:
        assert tables.claim(session, talk.id, 0)
        tables.append(session, talk.id, 0, exchange("first"))
    with store.transaction() as session:
        assert not tables.claim(session, talk.id, 0)
        assert tables.claim(session, talk.id, 2)
        tables.remove(session, talk.id)
        assert not tables.claim(session, talk.id, 0)


def test_the_last_message_can_be_taken_back_down_to_nothing(store):
    talk = chat(store)
    with store.transaction() as session:
        tables.append(session, talk.id, 0, exchange("one") + exchange("two"))
    for text in ("two", "one", None):
        with store.transaction() as session:
            assert tables.take_back(session, talk.id) == text
    with store.reading() as session:
        assert tables.turns(session, talk.id) == []


def test_a_conversation_is_found_by_its_app_and_id_alone(store):
    talk = chat(store)
    with store.reading() as session:
        assert tables.find(session, "support", talk.id).owner == "ann"
        assert tables.find(session, "other", talk.id) is None
        assert tables.find(session, "support", "' OR 1=1 --") is None
        assert tables.newest(session, "support", "bob", 10) == []
        assert len(tables.newest(session, "support", None, 10)) == 1


def test_conversations_are_listed_the_newest_first_by_how_they_begin(store):
    older, empty = chat(store), chat(store)
    with store.transaction() as session:
        tables.append(session, older.id, 0, exchange("first words") + exchange("later words"))
    with store.reading() as session:
        assert [(talk.id, text) for talk, text in tables.newest(session, "support", "ann", 10)] == [
            (empty.id, None),
            (older.id, "first words"),
        ]
        assert [talk.id for talk, _ in tables.newest(session, "support", "ann", 1)] == [empty.id]


def decided(session, talk, number: int) -> None:
    """An exchange, with a decision that somebody thinks something of."""
    made = {"app": "support", "owner": "ann", "version": "v1", "state": {"said": number}, "action": [2]}
    question, answer = exchange("x")
    answer.decision_id = decisions.keep(session, **made, propensity=0.5)
    tables.append(session, talk.id, 2 * number, [question, answer])
    decisions.judge(session, answer.decision_id, "carol", 1.0, {"comment": "x"})


def test_a_removed_conversation_is_gone_with_the_decisions_about_it_and_the_opinions_of_them(store):
    talk, other = chat(store), chat(store)
    with store.transaction() as session:
        for number in range(2):
            decided(session, talk, number)
        decided(session, other, 0)
    with store.transaction() as session:
        tables.remove(session, talk.id)
    with store.reading() as session:
        assert tables.find(session, "support", talk.id) is None
        assert tables.turns(session, talk.id) == []
        (kept,) = decisions.judged(session, "support")
        assert decisions.count(session, "support") == 1
        assert kept.decision.id == tables.turns(session, other.id)[1].decision_id


def test_a_message_that_is_taken_back_goes_with_its_decision(store):
    talk = chat(store)
    with store.transaction() as session:
        for number in range(2):
            decided(session, talk, number)
        tables.take_back(session, talk.id)
    with store.reading() as session:
        assert [each.decision.state["said"] for each in decisions.judged(session, "support")] == [0]
        assert decisions.count(session, "support") == 1


def test_documents_are_replaced_by_their_key_and_paged(store):
    several = [{"key": f"a{at:04}", "title": "t", "body": "b", "attributes": {}} for at in range(1100)]
    with store.transaction() as session:
        tables.put_documents(session, "support", several)
        several[3] = {**several[3], "body": "changed"}
        tables.put_documents(session, "support", several)
    with store.reading() as session:
        assert tables.document(session, "support", "a0003").body == "changed"
        assert [d.key for d in tables.documents(session, "support", 2, after="a0010")] == ["a0011", "a0012"]
        assert len(tables.documents(session, "support", 5000)) == 1100
        assert {d.key for d in tables.documents_of(session, "support", {"a0001", "a0007", "none"})} == {
            "a0001",
            "a0007",
        }
        assert tables.documents_of(session, "other", {"a0001"}) == tables.documents_of(session, "support", set()) == []


def test_what_happens_to_one_conversation_leaves_the_others_as_they_are(store):
    talk, other, theirs = chat(store), chat(store), ["theirs", "re: theirs", "more", "re: more"]
    with store.transaction() as session:
        tables.append(session, other.id, 0, exchange("theirs") + exchange("more"))
        tables.append(session, talk.id, 0, exchange("one") + exchange("two"))
    with store.transaction() as session:
        assert tables.take_back(session, talk.id) == "two"
        assert [turn.text for turn in tables.turns(session, other.id)] == theirs
        tables.remove(session, talk.id)
    with store.reading() as session:
        assert tables.turns(session, talk.id) == []
        assert [turn.text for turn in tables.turns(session, other.id)] == theirs


def test_turns_come_in_the_order_of_their_numbers_with_what_is_known_about_them(store):
    talk = chat(store)
    with store.transaction() as session:
        tables.append(session, talk.id, 1, [Turn(role="assistant", text="second", about={"action": "answer"})])
        tables.append(session, talk.id, 0, [Turn(role="user", text="first")])
    with store.reading() as session:
        found = [(turn.text, turn.about) for turn in tables.turns(session, talk.id)]
    assert found == [("first", {}), ("second", {"action": "answer"})]


def test_conversations_of_one_moment_are_listed_by_their_ids_and_long_beginnings_are_cut(store):
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with store.transaction() as session:
        for identity, minutes in (("b", 1), ("a", 1), ("c", 5), ("d", 0)):
            created = noon + timedelta(minutes=minutes)
            session.add(tables.Conversation(id=identity, app="support", owner="ann", created=created))
        session.flush()
        tables.append(session, "c", 0, exchange("long " * 1000))
    with store.reading() as session:
        listed = tables.newest(session, "support", "ann", 10)
        assert [talk.id for talk, _ in listed] == ["c", "a", "b", "d"]
        assert 0 < len(listed[0][1]) < 1000


def test_a_document_that_is_not_taken_over_again_is_gone_from_its_app_alone(store):
    several = [{"key": f"a/{at}#b", "title": "t", "body": "b", "attributes": {}} for at in range(3)]
    with store.transaction() as session:
        tables.put_documents(session, "other", several)
        tables.put_documents(session, "support", several)
        tables.put_documents(session, "support", several[1:])
    with store.reading() as session:
        assert tables.document(session, "support", "a/0#b") is None
        assert tables.document(session, "other", "a/0#b") is not None
        assert tables.document(session, "support", "a/1#b") is not None


def test_documents_are_those_of_their_app_in_the_order_of_their_keys(store):
    with store.transaction() as session:
        for app, keys in (("support", "b0"), ("other", "c")):
            rows = [{"key": key, "title": "t", "body": "b", "attributes": {}} for key in keys]
            tables.put_documents(session, app, rows)
    with store.reading() as session:
        assert [document.key for document in tables.documents(session, "support", 10)] == ["0", "b"]


def test_documents_that_are_no_longer_there_are_removed_and_those_of_others_stay(store):
    with store.transaction() as session:
        for app in ("support", "other"):
            rows = [{"key": f"{key:04}", "title": "t", "body": "b", "attributes": {}} for key in range(700)]
            tables.put_documents(session, app, rows)
        tables.put_documents(session, "support", [rows[3], rows[699]])
    with store.reading() as session:
        assert [document.key for document in tables.documents(session, "support", 9)] == ["0003", "0699"]
        assert len(tables.documents(session, "other", 5000)) == 700


def test_who_was_handed_over_waits_until_they_say_something_again(store):
    def handed(*actions: str) -> list[Turn]:
        return [Turn(role="assistant", text="", about={"action": action}) for action in actions]

    with store.transaction() as session:
        for app, actions in (("support", ["answer", "hand_over"]), ("support", ["hand_over", "answer"]), ("other", [])):
            talk = tables.start(session, app, "ann")
            tables.append(session, talk.id, 0, handed(*actions, "hand_over") if app == "other" else handed(*actions))
    with store.reading() as session:
        assert tables.waiting(session, "support") == tables.waiting(session, "other") == 1
        assert tables.waiting(session, "nobodys") == 0
