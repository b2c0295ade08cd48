"""Whom the bot hands over is looked after by agents: one at a time, while the bot is silent."""

import asyncio

import pytest

from apps.customer_service import tables
from apps.customer_service.app import app
from apps.customer_service.tables import Turn
from apps.customer_service.views import ChatTurn, exchanges
from core.platform.apps.opening import open_app
from core.platform.auth.access import Principal
from core.platform.store.database import open_store
from core.platform.store.erasure import erase_person
from core.rl.explore import Explorer
from core.util.errors import ConflictError, NotFoundError, SteerError

QUESTION = "I have forgotten my password and the reset mail does not arrive"
CAROL, DAVE, ROOT = Principal("carol", "agent"), Principal("dave", "agent"), Principal("root", "admin")


@pytest.fixture(scope="module")
def service(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")  # versions stand beside the runs, and belong to one store
    (folder / app.name).symlink_to(runs / app.name)
    store = open_store(f"sqlite:///{folder / 'steer.db'}")
    opened = open_app(app, folder, store, Explorer(), adopted_by="tests", apart=False)
    yield opened.service
    opened.close()
    store.close()


@pytest.fixture
def ann(request):
    """A customer whom no other test knows."""
    return Principal(request.node.name[:80], "viewer")


@pytest.fixture
def talk(service, ann) -> str:
    """A conversation of ann's who has asked for a person."""
    conversation_id, _ = asyncio.run(service.start_with(ann, QUESTION))
    asyncio.run(service.hand_over(ann, conversation_id, "a person, please"))
    return conversation_id


def line_of(service, conversation_id):
    lines = asyncio.run(service.inbox.lines(CAROL, 200))
    return next((line for line in lines if line.id == conversation_id), None)


def test_whom_nobody_has_answered_waits_and_who_needs_nobody_does_not(service, ann, talk):
    quiet, _ = asyncio.run(service.start_with(ann, QUESTION))
    line = line_of(service, talk)
    assert line.since is not None
    assert (line.agent, line.owner) == (None, ann.name)
    assert line.title.startswith("I have forgotten my password")
    assert line_of(service, quiet) is None
    waiting = service.counts()["waiting"]
    asyncio.run(service.inbox.answer(CAROL, talk, "Look into your spam folder."))
    line = line_of(service, talk)
    assert (line.since, line.agent) == (None, "carol")
    assert service.counts()["waiting"] == waiting - 1


def test_the_bot_is_silent_while_an_agent_looks_after_a_customer_and_talks_again_afterwards(service, ann, talk):
    asyncio.run(service.inbox.take_over(CAROL, talk))
    reply = asyncio.run(service.say(ann, talk, QUESTION))
    assert (reply.action, reply.decision, reply.confidence) == ("passed_on", None, None)
    assert line_of(service, talk).since is not None
    asyncio.run(service.inbox.answer(CAROL, talk, "Look into your spam folder."))
    asyncio.run(service.inbox.give_back(CAROL, talk))
    assert line_of(service, talk) is None
    assert asyncio.run(service.say(ann, talk, QUESTION)).action == "answer"
    turns = asyncio.run(service.turns(ann, talk))
    assert [turn.role for turn in turns] == [*["user", "assistant"] * 3, "agent", "user", "assistant"]
    assert turns[6].text == "Look into your spam folder."


def test_who_writes_again_has_waited_since_before_and_who_was_never_handed_over_waits_for_nobody(service, ann, talk):
    since = line_of(service, talk).since
    asyncio.run(service.inbox.take_over(CAROL, talk))
    asyncio.run(service.say(ann, talk, "hello?"))
    assert line_of(service, talk).since == since
    asyncio.run(service.inbox.answer(CAROL, talk, "One moment."))
    asyncio.run(service.say(ann, talk, "still there?"))
    assert line_of(service, talk).since > since
    quiet, _ = asyncio.run(service.start_with(ann, QUESTION))
    asyncio.run(service.inbox.take_over(CAROL, quiet))
    assert line_of(service, quiet).since is None


def test_two_agents_never_answer_the_same_customer(service, talk):
    asyncio.run(service.inbox.answer(CAROL, talk, "I have it."))
    for refused in (
        service.inbox.answer(DAVE, talk, "So have I."),
        service.inbox.take_over(DAVE, talk),
        service.inbox.give_back(DAVE, talk),
    ):
        with pytest.raises(ConflictError, match="carol looks after this conversation"):
            asyncio.run(refused)
    asyncio.run(service.inbox.take_over(CAROL, talk))  # who has it already may say so again
    asyncio.run(service.inbox.give_back(ROOT, talk))
    asyncio.run(service.inbox.answer(DAVE, talk, "Now I have."))
    assert line_of(service, talk).agent == "dave"


def test_of_agents_who_take_a_customer_at_the_same_moment_one_has_them(service, talk):
    agents = [Principal(f"agent {at}", "agent") for at in range(8)]

    async def all_at_once() -> list:
        return await asyncio.gather(
            *(service.inbox.answer(agent, talk, f"{agent.name} here") for agent in agents), return_exceptions=True
        )

    done = asyncio.run(all_at_once())
    assert sum(isinstance(each, ChatTurn) for each in done) == 1
    assert sum(isinstance(each, ConflictError) for each in done) == 7


def test_an_agent_who_steps_in_while_the_bot_thinks_silences_it(service, ann, talk, monkeypatch):
    thought = service._reply

    async def slowly(earlier, message):
        monkeypatch.setattr(service, "_reply", thought)
        reply = await thought(earlier, message)
        await service.inbox.take_over(CAROL, talk)
        return reply

    monkeypatch.setattr(service, "_reply", slowly)
    assert asyncio.run(service.say(ann, talk, QUESTION)).action == "passed_on"


def test_what_a_person_has_answered_is_not_taken_back(service, ann, talk):
    asyncio.run(service.inbox.answer(CAROL, talk, "Look into your spam folder."))
    assert asyncio.run(service.take_back(ann, talk)) is None
    assert len(asyncio.run(service.turns(ann, talk))) == 5


def test_a_message_sent_again_with_its_key_is_passed_on_once(service, ann, talk):
    asyncio.run(service.inbox.take_over(CAROL, talk))
    first, again = (asyncio.run(service.say(ann, talk, "and now?", "a key of ann's")) for _ in range(2))
    assert (first.action, again.action) == ("passed_on", "passed_on")
    assert len(asyncio.run(service.turns(ann, talk))) == 6


@pytest.mark.parametrize("text", ["", "  ", "x" * 4_001])
def test_what_is_no_message_is_neither_passed_on_nor_sent(service, ann, talk, text):
    for refused in (service.inbox.answer(CAROL, talk, text), service.say(ann, talk, text)):
        with pytest.raises(SteerError, match=r"Please type|characters"):
            asyncio.run(refused)
    asyncio.run(service.inbox.take_over(CAROL, talk))
    with pytest.raises(SteerError, match=r"Please type|characters"):
        asyncio.run(service.say(ann, talk, text))
    assert len(asyncio.run(service.turns(ann, talk))) == 4


def test_customers_have_no_inbox_and_nobody_looks_after_what_is_not_there(service, ann, talk):
    for refused in (
        service.inbox.lines(ann, 10),
        service.inbox.take_over(ann, talk),
        service.inbox.answer(ann, talk, "yes"),
        service.inbox.give_back(ann, talk),
    ):
        with pytest.raises(SteerError, match="Only agents"):
            asyncio.run(refused)
    with pytest.raises(NotFoundError, match="no such conversation"):
        asyncio.run(service.inbox.answer(CAROL, "0" * 32, "hello?"))


def test_what_a_customer_deletes_is_gone_from_the_inbox(service, ann, talk):
    asyncio.run(service.inbox.answer(CAROL, talk, "Look into your spam folder."))
    asyncio.run(service.remove(ann, talk))
    assert line_of(service, talk) is None
    with pytest.raises(NotFoundError):
        asyncio.run(service.inbox.answer(CAROL, talk, "Are you there?"))


def test_who_waits_longest_stands_first_and_whom_an_erased_agent_had_waits_on(store):
    said = {"role": "assistant", "text": "", "about": {"action": "hand_over"}}
    with store.transaction() as session:
        for name in ("first", "second", "third"):
            tables.start(session, "support", "ann", name)
            tables.append(session, name, 0, [Turn(role="user", text=name), Turn(**said)])
        tables.take_over(session, "first", "carol")
        tables.append(session, "first", 2, [Turn(role="agent", text="yes")])
        tables.take_over(session, "second", "carol")
    with store.reading() as session:
        found = tables.inbox(session, "support", 10)
        assert [(talk.id, agent, title) for talk, _, agent, title in found] == [
            ("second", "carol", "second"), ("third", None, "third"), ("first", "carol", "first"),
        ]  # fmt: skip
        assert tables.waiting(session, "support") == 2
        assert tables.inbox(session, "other", 10) == []
    with store.transaction() as session:
        assert erase_person(session, "carol") == 2
    with store.reading() as session:
        assert [(talk.id, agent) for talk, _, agent, _ in tables.inbox(session, "support", 10)] == [
            ("second", None), ("third", None),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("roles", "pairs"),
    [
        ("", []),
        ("ua", ["ua"]),
        ("aua", ["ua"]),
        ("uaggua", ["ua", "ua"]),
        ("guaga", None),
        ("gguag", ["ua"]),
    ],
)
def test_messages_are_paired_with_replies_whatever_people_wrote_between(roles, pairs):
    names = {"u": "user", "a": "assistant", "g": "agent"}
    turns = [Turn(role=names[role], text=role) for role in roles]
    if pairs is None:
        with pytest.raises(ValueError, match="shorter"):
            exchanges(turns)
    else:
        assert ["".join(turn.text for turn in pair) for pair in exchanges(turns)] == pairs
