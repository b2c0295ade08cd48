"""What visitors type, and how much of their lists fits it."""

import asyncio

import numpy as np
import pytest

from apps.recommender.engine import RecommenderEngine, Wanted
from apps.recommender.model import RecommenderModel, Visitor
from core.rl.explore import Explorer
from testing.sentences import read_sentences
from testing.wishes import Wish, read_wishes

NONE = np.zeros(0, dtype=np.int64)
_, HELD_OUT = read_wishes()


def fitting_share(model: RecommenderModel, wish: Wish, user: str | None = None) -> float:
    shown = asyncio.run(model.rank(Visitor(user=user, words=wish.words), Explorer())).items
    return float(np.mean([wish.fits(film.item) for film in shown]))


def test_every_wish_has_films_that_fit_it_and_most_that_do_not(data):
    for half in read_wishes():
        for wish in half:
            fitting = sum(wish.fits(item) for item in data.items)
            assert 25 <= fitting <= len(data.items) / 2, wish.words


def test_most_films_fit_what_somebody_new_typed(model):
    assert np.mean([fitting_share(model, wish) for wish in HELD_OUT]) > 0.7


def test_most_films_fit_what_a_known_user_typed(model):
    users = [model.catalogue.users()[place].user for place in (4, 16)]
    assert np.mean([fitting_share(model, wish, user) for wish in HELD_OUT for user in users]) > 0.6


@pytest.mark.parametrize("words", ["old silent films", "a documentary about penguins"])
def test_words_of_somebody_new_are_never_overruled_by_popularity(model, words):
    listed = model.engine.ask(RecommenderEngine.lists, Wanted(NONE, NONE, words, Explorer()))
    nearest = np.argsort(-listed.similarity)[: len(listed.similarity) // 100]
    assert np.isin(listed.candidates[listed.order], nearest).all()


def shown_for(model: RecommenderModel, words: str = ""):
    return asyncio.run(model.rank(Visitor(words=words), Explorer()))


def test_nearly_all_held_out_sentences_are_obeyed(model):
    popular = shown_for(model).items
    _, held_out = read_sentences()
    missed = []
    for sentence in held_out:
        items = shown_for(model, sentence.words).items
        films = [each.item for each in items]
        if not (items == popular if sentence.is_nonsense else sentence.is_obeyed(films, model.task.data.items)):
            missed.append(sentence.words)
    assert len(missed) <= len(held_out) / 10, missed


def test_reasons_say_what_was_asked_for(model):
    reasons = [each.reason for each in shown_for(model, "90s comedies").items]
    wanted = {("years", ()), ("tags", ("Comedy",))}
    assert all({(each.kind, each.names) for each in reason.conditions} == wanted for reason in reasons)
    assert all(each.reason.about == "Alien" for each in shown_for(model, "like Alien but newer").items)


def test_no_reason_rests_on_what_is_not_wanted(model):
    reasons = [each.reason for each in shown_for(model, "no horror please").items]
    assert "Horror" not in [reason.about for reason in reasons]


def test_likes_count_within_a_wish(model):
    user = model.catalogue.users()[16].user
    own = asyncio.run(model.rank(Visitor(user=user, words="90s comedies"), Explorer())).items
    assert all("Comedy" in each.item.tags and 1990 <= each.item.year <= 1999 for each in own)
    assert own != shown_for(model, "90s comedies").items
