"""Conversations as the facade keeps them, for page and API alike."""

import asyncio
from datetime import UTC, datetime

import pytest

from apps.customer_service.app import app
from apps.customer_service.data import Article
from apps.customer_service.service import unanswered
from apps.customer_service.ui import _decision, _sources
from apps.customer_service.views import ChatTurn
from core.platform.apps.opening import open_app
from core.platform.auth.access import Principal
from core.platform.store import decisions
from core.platform.store.database import open_store
from core.rl.explore import Explorer
from core.util.errors import NotFoundError, SteerError

QUESTION = "I have forgotten my password and the reset mail does not arrive"
CAROL = Principal("carol", "agent")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('talks') / 'steer.db'}")
    yield store
    store.close()


@pytest.fixture(scope="module")
def service(runs, store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")  # versions stand beside the runs, and belong to one store
    (folder / app.name).symlink_to(runs / app.name)
    opened = open_app(app, folder, store, Explorer(), adopted_by="tests", apart=False)
    yield opened.service
    opened.close()


@pytest.fixture
def ann(request):
    """A customer whom no other test knows."""
    return Principal(request.node.name[:80], "viewer")


def test_what_is_read_again_is_what_was_answered(service, ann):
    async def talk():
        conversation_id, first = await service.start_with(ann, QUESTION)
        second = await service.say(ann, conversation_id, "can I talk to a real human being please")
        return first, second, await service.turns(ann, conversation_id)

    first, second, turns = asyncio.run(talk())
    assert first.sources[0].template  # the article as the engine knows it, not as customers are shown it
    assert turns[1::2] == [first, second]
    assert [turn.text for turn in turns[::2]] == [QUESTION, "can I talk to a real human being please"]


def test_a_question_that_is_repeated_gets_its_answer_again(service, ann):
    async def talk():
        conversation_id, first = await service.start_with(ann, QUESTION)
        return first, await service.say(ann, conversation_id, QUESTION)

    first, again = asyncio.run(talk())
    assert (again.action, again.text, again.sources) == ("answer", first.text, first.sources)


@pytest.mark.parametrize(
    ("actions", "remembered"),
    [
        (["ask_back"], ["one"]),
        (["ask_back", "ask_back"], ["one", "two"]),
        (["ask_back", "acknowledgement"], ["one"]),
        (["greeting", "ask_back", "about_bot", "ask_back"], ["two", "four"]),
        (["ask_back", "answer"], []),
        (["ask_back", "hand_over", "thanks"], []),
        (["answer", "ask_back"], ["two"]),
    ],
)
def test_what_was_only_asked_back_about_is_remembered_across_small_talk(actions, remembered):
    assert unanswered(zip(["one", "two", "three", "four"], actions, strict=False)) == remembered


def test_a_decision_is_logged_by_what_was_done(service, store, ann):
    _, answer = asyncio.run(service.start_with(ann, QUESTION))
    _, handed_over = asyncio.run(service.start_with(ann, "can I talk to a real human being please"))
    with store.reading() as session:
        logged = [decisions.find(session, "customer_service", turn.decision) for turn in (answer, handed_over)]
    assert [decision.action for decision in logged] == [[answer.sources[0].id], ["hand_over"]]
    assert answer.sources[0].id in logged[0].state["candidates"]


def test_a_list_shows_the_first_words_of_ones_own_conversations(service, ann):
    bob = Principal("bob", "viewer")

    async def listed():
        first, _ = await service.start_with(ann, QUESTION)
        second, _ = await service.start_with(ann, "Where is \n my order?")
        third, _ = await service.start_with(ann, "订" * 80)
        await service.start_with(bob, "my private order")
        return (third, second, first), await service.newest(ann, 10)

    ids, mine = asyncio.run(listed())
    assert tuple(talk.id for talk in mine) == ids
    titles = ["订" * 60 + "…", "Where is my order?", "I have forgotten my password and the reset mail does not…"]
    assert [talk.title for talk in mine] == titles
    assert {talk.owner for talk in mine} == {ann.name}


def test_agents_see_everybodys_conversations_or_their_own(service, ann):
    async def listed():
        theirs, _ = await service.start_with(ann, QUESTION)
        own, _ = await service.start_with(CAROL, QUESTION)
        everybodys = [talk.id for talk in await service.newest(CAROL, 100)]
        return {theirs, own}, everybodys, [talk.owner for talk in await service.newest(CAROL, 100, mine=True)]

    both, everybodys, owners = asyncio.run(listed())
    assert both <= set(everybodys)
    assert set(owners) == {"carol"}


def test_a_conversation_of_which_all_is_taken_back_has_no_title_and_a_removed_one_is_gone(service, ann):
    async def listed():
        conversation_id, _ = await service.start_with(ann, QUESTION)
        taken = await service.take_back(ann, conversation_id)
        empty = await service.newest(ann, 10)
        await service.remove(ann, conversation_id)
        return taken, empty, await service.newest(ann, 10)

    taken, empty, removed = asyncio.run(listed())
    assert taken == QUESTION
    assert [talk.title for talk in empty] == [""]
    assert removed == []


def test_a_message_that_is_refused_begins_no_conversation(service, ann):
    with pytest.raises(SteerError, match="type a message"):
        asyncio.run(service.start_with(ann, "   "))
    assert asyncio.run(service.newest(ann, 10)) == []


def test_a_message_that_the_store_refuses_begins_no_conversation(service, ann):
    with pytest.raises(SteerError, match="cannot keep that"):
        asyncio.run(service.start_with(ann, "where is my order \ud800"))
    assert asyncio.run(service.newest(ann, 10)) == []


def test_nothing_is_left_of_what_is_asked_while_the_conversation_is_deleted(service, store, ann):
    async def race():
        conversation_id, first = await service.start_with(ann, QUESTION)
        asked = asyncio.create_task(service.say(ann, conversation_id, "my secret order HP-4711"))
        await asyncio.sleep(0)
        await service.remove(ann, conversation_id)
        return first, (await asyncio.gather(asked, return_exceptions=True))[0]

    first, late = asyncio.run(race())
    if isinstance(late, Exception):
        assert isinstance(late, NotFoundError)
    with pytest.raises(NotFoundError, match="no such reply of yours"):
        asyncio.run(service.judge(ann, first.decision, 1.0))
    with store.reading() as session:
        assert [made for made in decisions.made(session, "customer_service") if made.owner == ann.name] == []


def test_nobody_speaks_in_anothers_conversation_and_agents_may_read_it(service, ann):
    conversation_id, reply = asyncio.run(service.start_with(ann, QUESTION))
    assert asyncio.run(service.turns(CAROL, conversation_id))[1] == reply
    for principal in (CAROL, Principal("bob", "viewer")):
        with pytest.raises(NotFoundError, match="no such conversation of yours"):
            asyncio.run(service.say(principal, conversation_id, "and now?"))
    with pytest.raises(NotFoundError, match="no such conversation of yours"):
        asyncio.run(service.turns(Principal("bob", "viewer"), conversation_id))


@pytest.mark.parametrize(
    ("sources", "sure", "said", "heading"),
    [
        ([Article(id="a", title="Late parcels", body="Wait.")], 0.02, "no article was sure enough", "It may be about"),
        ([], 0.9, "90% sure", "No article was used."),
    ],
)
def test_who_is_handed_over_for_want_of_an_article_sees_what_may_help_meanwhile(sources, sure, said, heading):
    reply = ChatTurn(
        role="assistant", text="", time=datetime.now(UTC), action="hand_over", confidence=sure, sources=sources
    )
    assert said in _decision(reply, None)
    assert heading in _sources(reply, None)
    assert all(source.title in _sources(reply, None) for source in sources)
