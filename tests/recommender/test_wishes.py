"""What visitors type, and how much of their lists fits it."""

import asyncio

import numpy as np
import pytest

from apps.recommender.engine import RecommenderEngine, Wanted
from apps.recommender.model import RecommenderModel, Visitor
from core.rl.explore import Explorer
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
