"""One version of the recommender, and how a film looks."""

import asyncio
import re
from copy import copy
from dataclasses import replace

import numpy as np
import pytest

from apps.recommender.cards import card, initials
from apps.recommender.data import Item
from apps.recommender.explanations import Reason
from apps.recommender.model import Event, Ranked, Recommended, RecommenderModel, Visitor
from apps.recommender.task import Recommender
from apps.recommender.texts import shop_texts
from core.rl.explore import Explorer
from core.util.errors import SteerError


def ranked_for(model, visitor: Visitor) -> Ranked:
    return asyncio.run(model.rank(visitor, Explorer()))


TEXTS = shop_texts(Recommender.workspace.config.words, "recommender")


def films_for(model, visitor: Visitor) -> list[Recommended]:
    return ranked_for(model, visitor).items


def likes_of(model, visitor: Visitor) -> list[str]:
    return [model.catalogue.data.items[row].id for row in ranked_for(model, visitor).liked]


async def all_at_once(model, visitors: list[Visitor]) -> list[Ranked]:
    return await asyncio.gather(*(model.rank(visitor, Explorer()) for visitor in visitors))


def ids(recommended) -> list[str]:
    return [film.item.id for film in recommended]


def rows(recommended) -> list[int]:
    return [film.item.row for film in recommended]


def done(*events: tuple[str, str]) -> Visitor:
    return Visitor(events=tuple(Event(kind, film) for kind, film in events))


@pytest.fixture(scope="session")
def user(model) -> str:
    return model.catalogue.users()[12].user


def test_a_known_user_gets_ten_unseen_films_with_reasons(model, user):
    films = films_for(model, Visitor(user=user))
    assert len(set(rows(films))) == 10
    assert not np.isin(rows(films), model.catalogue.data.users[user].items).any()
    assert all(film.item.title and film.item.year > 1800 and film.reason.kind for film in films)
    assert films[0].score == 1.0
    assert all(0 < film.score <= 1 for film in films)


def test_a_like_changes_the_list_and_undo_brings_it_back(model, user):
    visitor = Visitor(user=user)
    before = ids(films_for(model, visitor))
    liked = visitor.with_event("like", before[4])
    after = ids(films_for(model, liked))
    assert before[4] not in after
    assert after != [row for row in before if row != before[4]]
    assert likes_of(model, liked)[-1] == before[4]
    assert ids(films_for(model, liked.undone())) == before


def test_a_hidden_film_never_comes_back_and_is_no_like(model, user):
    visitor = Visitor(user=user)
    first = ids(films_for(model, visitor))[0]
    hidden = visitor.with_event("hide", first)
    assert first not in ids(films_for(model, hidden))
    assert likes_of(model, hidden) == likes_of(model, visitor)


def test_somebody_new_can_pick_films(model):
    star_wars = model.catalogue.search("star wars")[0]
    films = films_for(model, Visitor().with_event("like", star_wars.id))
    assert len(films) == 10
    assert any(film.reason == Reason("liked", star_wars.title) for film in films)


def test_a_sentence_is_enough(model):
    films = films_for(model, Visitor(words="animation for children"))
    genres = [set(film.item.tags) for film in films]
    assert sum(bool({"Children", "Animation"} & names) for names in genres) >= 7
    assert any(film.reason.kind in ("words", "asked") for film in films)
    other = films_for(model, Visitor(words="a war drama about soldiers"))
    assert len(set(rows(films)) & set(rows(other))) <= 2


def test_the_last_word_about_a_film_counts(model):
    assert likes_of(model, done(("hide", "7"), ("like", "3"), ("like", "7"))) == ["3", "7"]
    assert likes_of(model, done(("like", "7"), ("like", "3"), ("hide", "7"))) == ["3"]
    assert likes_of(model, done(("like", "7"), ("like", "3"), ("like", "7"))) == ["3", "7"]
    for visitor in (done(("hide", "7"), ("like", "7")), done(("like", "3"), ("like", "7"), ("hide", "7"))):
        assert "7" not in ids(films_for(model, visitor))


def test_a_known_users_past_like_can_be_taken_back(model, user):
    past = likes_of(model, Visitor(user=user))
    assert likes_of(model, Visitor(user=user).with_event("hide", past[0])) == past[1:]
    assert likes_of(model, Visitor(user=user).with_event("like", past[0])) == [*past[1:], past[0]]


def test_a_newcomer_gets_well_loved_films_of_many_kinds_that_the_policy_had_no_say_in(model):
    newcomer = ranked_for(model, Visitor())
    assert newcomer.choice is None
    assert len(set(rows(newcomer.items))) == 10
    popularity, distances = model._builder.popularity, model._builder.distances
    assert popularity[rows(newcomer.items)].min() > 0.3 * popularity.max()
    best_loved = np.argsort(-popularity, kind="stable")[:10]
    varied, usual = (distances.within(np.array([films]))[0].mean() for films in (rows(newcomer.items), best_loved))
    assert varied > usual + 0.1
    assert [film.reason.kind for film in newcomer.items] == ["popular"] * 10
    assert newcomer.items[0].score == 1.0


def test_a_newcomer_who_only_hides_gets_another_list_without_what_they_hid(model):
    first = ids(films_for(model, Visitor()))
    then = ids(films_for(model, done(("hide", first[0]), ("hide", first[5]))))
    assert not {first[0], first[5]} & set(then)
    assert len(set(then)) == 10


def test_what_is_out_of_stock_is_never_listed(model, user):
    for visitor in (Visitor(), Visitor(user=user), Visitor(words="space")):
        first = ids(films_for(model, visitor))
        task = copy(model.task)
        task.data = replace(task.data, items=[replace(it, is_offered=it.id not in first) for it in task.data.items])
        then = ids(films_for(RecommenderModel(task, model.engine), visitor))
        assert len(then) == 10
        assert not set(first) & set(then)


def seen_all_but(model, left: list[int], *liked: int) -> Visitor:
    hidden = [("hide", film.id) for film in model.catalogue.data.items if film.row not in (*left, *liked)]
    return done(*hidden, *(("like", model.catalogue.data.items[row].id) for row in liked))


@pytest.mark.parametrize("left", [[], [17], [5, 9_000], list(range(0, 700, 50)), list(range(150))])
@pytest.mark.parametrize("taste", ["likes", "words", "nothing"])
def test_who_has_seen_nearly_everything_gets_what_is_left(model, left, taste):
    visitor = seen_all_but(model, left, *([1, 2, 3] if taste == "likes" else []))
    visitor = replace(visitor, words="far away in space" if taste == "words" else "")
    ranked = ranked_for(model, visitor)
    assert set(rows(ranked.items)) <= set(left)
    assert len(set(rows(ranked.items))) == len(ranked.items) == min(10, len(left))
    assert all(np.isfinite(film.score) for film in ranked.items)
    assert (ranked.choice is None) == (not left or taste == "nothing")


def test_who_has_seen_nearly_everything_harms_nobody_in_the_same_batch(model, user):
    usual = [Visitor(user=user), Visitor(words="space")]
    alone = [rows(films_for(model, visitor)) for visitor in usual]
    others = [seen_all_but(model, list(range(count)), 200) for count in (0, 1, 150)]
    together = asyncio.run(all_at_once(model, [*usual, *others]))
    assert [rows(ranked.items) for ranked in together[:2]] == alone
    assert [len(ranked.items) for ranked in together[2:]] == [0, 1, 10]


def test_search_knows_accents_and_word_order(model):
    assert any("Am" in film.title for film in model.catalogue.search("amelie"))
    assert model.catalogue.search("story toy")[0].title == "Toy Story"
    assert model.catalogue.search("zzzz no such film") == []


@pytest.mark.parametrize("unknown", ["0", "-5", "99999"])
def test_an_unknown_user_is_told_so(model, unknown):
    with pytest.raises(SteerError, match="no user"):
        films_for(model, Visitor(user=unknown))


def test_an_unknown_film_is_told_so(model):
    with pytest.raises(SteerError, match="no item"):
        films_for(model, Visitor().with_event("like", "1000000000"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("a" * 100_000, "100,000"),
        (" \n\t ", "few words"),
        ("\x00\x01\x02\x03ab", "not look"),
        ("\ufffd" * 20, "not look"),
    ],
)
def test_what_is_no_description_is_refused_with_a_reason(model, words, message):
    with pytest.raises(SteerError, match=message):
        films_for(model, Visitor(words=words))


def test_markup_in_words_is_just_words_and_titles_are_escaped(model):
    assert len(films_for(model, Visitor(words="<script>alert(1)</script> space"))) == 10
    film = Recommended(
        Item(0, "1", "<b>Bad</b> & worse", tags=("<i>",), year=1999), 0.5, Reason("liked", "<img src=x>")
    )
    shown = card(film, lambda key, **values: TEXTS.say(key, None, **values))
    assert "<b>Bad" not in shown
    assert "<img" not in shown
    assert "<i>" not in shown
    assert "&lt;b&gt;Bad&lt;/b&gt; &amp; worse" in shown


def test_visitors_do_not_see_each_other(model):
    users = [summary.user for summary in model.catalogue.users()][:8]
    alone = {user: rows(films_for(model, Visitor(user=user))) for user in users}
    together = asyncio.run(all_at_once(model, [Visitor(user=user) for user in users * 3]))
    assert [rows(ranked.items) for ranked in together] == [alone[user] for user in users * 3]


def test_visitors_who_come_at_once_get_the_lists_that_each_would_get_alone(model):
    users = [summary.user for summary in model.catalogue.users(60)]
    visitors = [
        *(Visitor(user=user) for user in users),
        *(Visitor(user=user, words=f"a story of revenge, take {user}") for user in users),
        *(Visitor(words=f"children and animals, take {user}") for user in users),
    ]
    together = asyncio.run(all_at_once(model, visitors))
    for visitor, films in zip(visitors, (ranked.items for ranked in together), strict=True):
        alone = films_for(model, visitor)
        assert [(film.item, film.reason) for film in films] == [(film.item, film.reason) for film in alone]
        assert [film.score for film in films] == pytest.approx([film.score for film in alone], abs=1e-3)


def test_initials_leave_small_words_out():
    assert initials("The Lord of the Rings: The Return of the King") == "LRR"
    assert initials("M") == "M"
    assert initials("...And Justice for All")


def test_every_text_has_two_languages_with_the_same_fields():
    fields = [[sorted(re.findall(r"{(\w+)}", text)) for text in pair] for pair in TEXTS.texts.values()]
    assert all(english == chinese for english, chinese in fields)
    assert all(english and chinese for english, chinese in TEXTS.texts.values())
