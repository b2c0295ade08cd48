import asyncio

import numpy as np
import pytest

from apps.recommender.cards import card, initials
from apps.recommender.explanations import Reason
from apps.recommender.service import Film, Recommended, Visitor
from apps.recommender.texts import TEXTS
from apps.recommender.ui import page
from core.util.errors import SteerError


def films_for(service, visitor: Visitor) -> list[Recommended]:
    return asyncio.run(service.recommend(visitor))


async def all_at_once(service, visitors: list[Visitor]) -> list[list[Recommended]]:
    return await asyncio.gather(*map(service.recommend, visitors))


def rows(recommended) -> list[int]:
    return [film.film.row for film in recommended]


@pytest.fixture(scope="session")
def user(service) -> int:
    return service.users()[12].user


def test_a_known_user_gets_ten_unseen_films_with_reasons(service, user):
    films = films_for(service, Visitor(user=user))
    assert len(set(rows(films))) == 10
    assert not np.isin(rows(films), service.data.users[user].items).any()
    assert all(film.film.title and film.film.year > 1800 and film.reason.kind for film in films)
    assert films[0].score == 1.0
    assert all(0 < film.score <= 1 for film in films)


def test_a_like_changes_the_list_and_undo_brings_it_back(service, user):
    visitor = Visitor(user=user)
    before = rows(films_for(service, visitor))
    liked = visitor.with_event("like", before[4])
    after = rows(films_for(service, liked))
    assert before[4] not in after
    assert after != [row for row in before if row != before[4]]
    assert service.history(liked)[0][0].row == before[4]
    assert rows(films_for(service, liked.undone())) == before


def test_a_hidden_film_never_comes_back_and_is_no_like(service, user):
    visitor = Visitor(user=user)
    first = rows(films_for(service, visitor))[0]
    hidden = visitor.with_event("hide", first)
    assert first not in rows(films_for(service, hidden))
    assert service.history(hidden)[0] == service.history(visitor)[0]


def test_somebody_new_can_pick_films(service):
    star_wars = service.search("star wars")[0]
    films = films_for(service, Visitor().with_event("like", star_wars.row))
    assert len(films) == 10
    assert any(film.reason == Reason("liked", star_wars.title) for film in films)


def test_a_sentence_is_enough(service):
    films = films_for(service, Visitor(words="animation for children"))
    genres = [set(film.film.genres) for film in films]
    assert sum(bool({"Children", "Animation"} & names) for names in genres) >= 7
    assert any(film.reason.kind == "words" for film in films)
    other = films_for(service, Visitor(words="a war drama about soldiers"))
    assert len(set(rows(films)) & set(rows(other))) <= 2


def test_of_a_stranger_nothing_is_known(service):
    assert films_for(service, Visitor()) == []


def test_search_knows_accents_and_word_order(service):
    assert any("Am" in film.title for film in service.search("amelie"))
    assert service.search("story toy")[0].title == "Toy Story"
    assert service.search("zzzz no such film") == []


@pytest.mark.parametrize("unknown", [0, -5, 99_999])
def test_an_unknown_user_is_told_so(service, unknown):
    with pytest.raises(SteerError, match="no user"):
        films_for(service, Visitor(user=unknown))


def test_an_unknown_film_is_told_so(service):
    with pytest.raises(SteerError, match="no film"):
        films_for(service, Visitor().with_event("like", 10**9))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("a" * 100_000, "100,000"),
        (" \n\t ", "few words"),
        ("\x00\x01\x02\x03ab", "not look"),
        ("\ufffd" * 20, "not look"),
    ],
)
def test_what_is_no_description_is_refused_with_a_reason(service, words, message):
    with pytest.raises(SteerError, match=message):
        films_for(service, Visitor(words=words))


def test_markup_in_words_is_just_words_and_titles_are_escaped(service):
    assert len(films_for(service, Visitor(words="<script>alert(1)</script> space"))) == 10
    film = Recommended(Film(0, "<b>Bad</b> & worse", 1999, ("Drama",)), 0.5, Reason("liked", "<img src=x>"))
    shown = card(film, lambda key, **values: TEXTS.say(key, None, **values))
    assert "<b>Bad" not in shown
    assert "<img" not in shown
    assert "&lt;b&gt;Bad&lt;/b&gt; &amp; worse" in shown


def test_visitors_do_not_see_each_other(service):
    users = [summary.user for summary in service.users()][:8]
    alone = {user: rows(films_for(service, Visitor(user=user))) for user in users}
    together = asyncio.run(all_at_once(service, [Visitor(user=user) for user in users * 3]))
    assert list(map(rows, together)) == [alone[user] for user in users * 3]


def test_visitors_who_come_at_once_get_the_lists_that_each_would_get_alone(service):
    users = [summary.user for summary in service.users(60)]
    visitors = [
        *(Visitor(user=user) for user in users),
        *(Visitor(user=user, words=f"a story of revenge, take {user}") for user in users),
        *(Visitor(words=f"children and animals, take {user}") for user in users),
    ]
    together = asyncio.run(all_at_once(service, visitors))
    for visitor, films in zip(visitors, together, strict=True):
        alone = films_for(service, visitor)
        assert [(film.film, film.reason) for film in films] == [(film.film, film.reason) for film in alone]
        assert [film.score for film in films] == pytest.approx([film.score for film in alone], abs=1e-3)


def test_initials_leave_small_words_out():
    assert initials("The Lord of the Rings: The Return of the King") == "LRR"
    assert initials("M") == "M"
    assert initials("...And Justice for All")


def test_every_text_has_two_languages_and_the_page_a_title():
    assert page.path == "recommend"
    assert all(english and chinese for english, chinese in TEXTS.texts.values())
