"""The shop's facade on a real store: what is shown, what is kept, and what a profile remembers."""

import asyncio

import pytest
from sqlalchemy.event import listen

from apps.recommender import tables
from apps.recommender.api import ItemList
from apps.recommender.service import Event, Visitor
from core.platform.auth.access import Principal
from core.platform.store import decisions
from core.util.errors import ConflictError, NotFoundError, SteerError

ANN, BOB = Principal("ann", "viewer"), Principal("bob", "viewer")
SPACE = Visitor(words="space adventure")


def run(coroutine):
    return asyncio.run(coroutine)


def shown_to(service, principal=ANN, visitor=SPACE):
    return run(service.show(principal, visitor))


def ids(shown) -> list[str]:
    return [film.item.id for film in shown.items]


def opinions(service) -> list[tuple[str, str, float]]:
    with service.store.reading() as session:
        judged = decisions.judged(session, "recommender")
    return [(each.owner, each.subject, each.value) for decision in judged for each in decision.feedback]


def events(service, principal=ANN) -> list[Event]:
    return run(service.events(principal, 500))


def test_a_list_is_logged_by_the_ids_of_its_films(service):
    shown = shown_to(service)
    with service.store.reading() as session:
        decision = decisions.find(session, "recommender", shown.decision)
        assert decision.action == ids(shown)
        assert (decision.owner, decision.version, decision.propensity) == ("ann", "v0001", 1.0)
        assert set(decision.action) < set(decision.state["candidates"])


def test_a_click_is_kept_and_judged_and_shows_the_next_list(service):
    film = shown_to(service, visitor=Visitor(words="space")).items[0].item
    first = shown_to(service)
    liked = ids(first)[2]
    shown = run(service.react(ANN, Event("like", liked), first.decision))
    assert events(service) == [Event("like", liked)]
    assert opinions(service) == [("ann", liked, 1.0)]
    assert [film.id for film in shown.likes] == [liked]
    assert liked not in ids(shown)
    assert shown.visitor.words == ""
    again = run(service.show(ANN, Visitor(), with_profile=True))
    assert ids(again) == ids(shown)
    after = run(service.react(ANN, Event("like", film.id), None, Visitor(words="space", shown=(tuple(ids(first)),))))
    assert after.visitor.words == "space"
    assert not {*ids(after)} & {*ids(first)}


def test_a_click_takes_two_transactions(service):
    first, begun = shown_to(service), []
    listen(service.store.engine, "begin", lambda connection: begun.append(connection))
    run(service.react(ANN, Event("like", ids(first)[0]), first.decision))
    assert len(begun) == 2


def test_the_page_of_a_profile_is_the_apis(service):
    for kind, film in (("like", "10"), ("hide", "20"), ("like", "30")):
        run(service.note(ANN, Event(kind, film)))
    shown = run(service.show(ANN, Visitor(), with_profile=True))
    assert shown.visitor.events == tuple(events(service))
    assert run(service.events(ANN, limit=1, offset=1)) == [Event("hide", "20")]
    assert [film.id for film in shown.likes] == ["30", "10"]
    assert not {"10", "20", "30"} & set(ids(shown))
    assert ids(shown_to(service, visitor=Visitor(events=shown.visitor.events))) == ids(shown)


def test_a_newcomer_gets_a_list_that_is_no_decision_of_the_policy(service):
    shown = run(service.show(ANN, Visitor(), with_profile=True))
    assert (len(shown.items), shown.decision, list(shown.likes)) == (10, None, [])
    with service.store.reading() as session:
        assert decisions.count(session, "recommender") == 0
    after = run(service.react(ANN, Event("like", ids(shown)[0])))
    assert after.decision is not None


def test_the_last_word_about_a_film_counts_in_the_profile_and_in_the_log(service):
    shown = shown_to(service)
    film = ids(shown)[0]
    for kind in ("hide", "like"):
        run(service.note(ANN, Event(kind, film), shown.decision))
    assert [liked.id for liked in run(service.show(ANN, Visitor(), with_profile=True)).likes] == [film]
    assert opinions(service) == [("ann", film, 1.0)]


def test_a_profile_has_one_word_about_each_film_however_often_it_changed(service):
    for kind, film in (("like", "5"), ("like", "6"), ("hide", "5"), ("like", "6"), ("hide", "5")):
        run(service.note(ANN, Event(kind, film)))
    assert run(service.profile(ANN)).events == (Event("like", "6"), Event("hide", "5"))
    assert len(events(service)) == 5


def test_undo_brings_back_the_word_before(service):
    shown = shown_to(service)
    film, other = ids(shown)[:2]
    for kind, row in (("hide", film), ("like", other), ("like", film)):
        run(service.note(ANN, Event(kind, row), shown.decision))
    assert run(service.undo(ANN))
    assert events(service) == [Event("hide", film), Event("like", other)]
    assert sorted(opinions(service)) == sorted([("ann", film, -1.0), ("ann", other, 1.0)])
    assert run(service.undo(ANN))
    assert opinions(service) == [("ann", film, -1.0)]
    assert run(service.undo(ANN))
    assert opinions(service) == []
    assert not run(service.undo(ANN))


def owners(service) -> list[str]:
    with service.store.reading() as session:
        return [decision.owner for decision in decisions.made(session, "recommender")]


def test_a_profile_is_forgotten_with_its_lists_and_opinions_and_nobody_elses(service):
    for principal in (ANN, BOB):
        shown = shown_to(service, principal)
        for kind in ("hide", "like"):
            run(service.note(principal, Event(kind, ids(shown)[0]), shown.decision))
    assert run(service.forget(ANN)) == 2
    assert events(service) == []
    assert [owner for owner, _, _ in opinions(service)] == owners(service) == ["bob"]
    assert len(events(service, BOB)) == 2
    assert run(service.forget(ANN)) == 0


def test_a_list_that_was_being_made_while_the_profile_was_erased_is_not_kept(service, monkeypatch):
    rank = type(service.live.current[0]).rank

    async def erased_meanwhile(model, visitor, explorer):
        ranked = await rank(model, visitor, explorer)
        await service.forget(ANN)
        return ranked

    run(service.note(ANN, Event("like", "30")))
    with monkeypatch.context() as patched:
        patched.setattr(type(service.live.current[0]), "rank", erased_meanwhile)
        shown = run(service.show(ANN, Visitor(), with_profile=True))
        assert len(shown.items) == 10
        assert shown.decision is None
        assert run(service.react(ANN, Event("like", "40"))).decision is None
    assert owners(service) == []
    assert run(service.react(ANN, Event("like", "40"))).decision is not None


def test_what_is_sent_again_with_its_key_counts_once(service):
    shown = shown_to(service)
    like, hide = (Event(kind, ids(shown)[0]) for kind in ("like", "hide"))
    for _ in range(2):
        assert run(service.note(ANN, like, shown.decision, "key-12345678")) == "key-12345678"
    others = [(hide, shown.decision), (like, None), (Event("like", ids(shown)[1]), shown.decision)]
    for event, decision in others:
        with pytest.raises(ConflictError, match="key-12345678 came with another request"):
            run(service.note(ANN, event, decision, "key-12345678"))
    assert events(service) == [like]
    assert opinions(service) == [("ann", like.item, 1.0)]


def test_an_event_that_names_a_list_which_did_not_show_the_film_is_refused(service):
    shown = shown_to(service)
    other = next(film for film in service.catalogue.data.rows if film not in ids(shown))
    title = service.catalogue.item(other).title
    with pytest.raises(NotFoundError, match=f"That list did not show “{title}”"):
        run(service.note(ANN, Event("like", other), shown.decision))
    with pytest.raises(NotFoundError, match="no such list of yours"):
        run(service.note(BOB, Event("like", ids(shown)[0]), shown.decision))
    with pytest.raises(NotFoundError, match="no such list of yours"):
        run(service.react(ANN, Event("like", ids(shown)[0]), "0" * 32))
    with pytest.raises(SteerError, match="no item"):
        run(service.note(ANN, Event("like", "1000000000")))
    assert events(service) == events(service, BOB) == []
    assert opinions(service) == []


def test_trying_a_shipped_visitor_leaves_the_own_profile_alone(service):
    user = service.catalogue.users()[3].user
    demo = Visitor(user=user)
    liked = demo.with_event("like", ids(shown_to(service, visitor=demo))[0])
    assert liked.events[0].item == shown_to(service, visitor=liked).likes[0].id
    assert events(service) == []
    assert opinions(service) == []


def test_films_that_are_gone_do_not_shut_anybody_out_of_their_profile(service):
    run(service.note(ANN, Event("like", "5")))
    with service.store.transaction() as session:
        row = {
            "app": "recommender",
            "owner": "ann",
            "key": "old",
            "kind": "like",
            "item": "1000000",
            "decision_id": None,
        }
        tables.add_event(session, row)
    assert [film.id for film in run(service.show(ANN, Visitor(), with_profile=True)).likes] == ["5"]


def test_a_list_for_somebody_who_has_seen_nearly_everything_is_short_and_says_so(service):
    films = service.catalogue.data.rows
    for left in (["4"], []):
        hidden = tuple(Event("hide", film) for film in films if film not in (*left, "9"))
        shown = shown_to(service, visitor=Visitor(events=(*hidden, Event("like", "9"))))
        assert ids(shown) == left
        listed = ItemList.of(shown, service.texts)
        assert listed.note == "There are no more films that were neither seen nor hidden."
    assert ItemList.of(shown_to(service), service.texts).note is None
