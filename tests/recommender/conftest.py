from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import delete

from apps.recommender import tables
from apps.recommender.candidates import CandidateBuilder
from apps.recommender.data import Events, ShopData
from apps.recommender.engine import RecommenderEngine
from apps.recommender.list_rule import choose_rule
from apps.recommender.model import RecommenderModel
from apps.recommender.reading import read_shop_data
from apps.recommender.retriever import RetrieverSettings
from apps.recommender.retriever_cache import open_retriever
from apps.recommender.service import RecommenderService
from apps.recommender.task import Recommender
from core.models.weights import DEFAULT_ENCODER
from core.platform.inference.engine import Engine
from core.platform.store.database import open_store, sqlite_url
from core.platform.store.schema import Decision, Feedback
from core.rl.explore import Explorer
from core.training.loader import open_task
from core.training.run import Run
from core.training.settings import load_settings

FILMS = 1500


@pytest.fixture(scope="session")
def data() -> ShopData:
    return read_shop_data(Recommender.workspace)


@pytest.fixture(scope="session")
def small(data) -> ShopData:
    """The best-known films and what a third of the users rated of them: real, and quick to train on."""
    counts = np.bincount(np.concatenate([events.items for events in data.users.values()]), minlength=len(data.items))
    kept = np.sort(np.argsort(-counts, kind="stable")[:FILMS])
    new_row = np.full(len(data.items), -1)
    new_row[kept] = np.arange(FILMS)
    users = {}
    for user, events in data.users.items():
        known = new_row[events.items] >= 0
        if int(user) % 3 == 0:
            users[user] = Events(new_row[events.items[known]], events.is_liked[known])
    return ShopData(tuple(replace(data.items[film], row=row) for row, film in enumerate(kept)), users)


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("retrievers")


@pytest.fixture(scope="session")
def retriever_settings() -> RetrieverSettings:
    return RetrieverSettings(DEFAULT_ENCODER, seed=0, epochs=6)


@pytest.fixture(scope="session")
def builder(task) -> CandidateBuilder:
    return task.builder


@pytest.fixture(scope="session")
def task(small, cache, retriever_settings) -> Recommender:
    """The task on the small data; everything else is as it ships."""
    task = Recommender(load_settings(Recommender.presets["quick"]))
    task.data = small
    task.retriever = open_retriever(small, retriever_settings, print, cache)
    task.rule = choose_rule(small, task.distances, task.reward)
    return task


@pytest.fixture(scope="session")
def model(runs) -> Iterator[RecommenderModel]:
    """The shortly trained recommender."""
    run = Run(runs / "recommender")
    task = open_task(Recommender, run)
    engine = Engine.local(RecommenderEngine(task, run, patience=None))
    yield RecommenderModel(task, engine)
    engine.close()


@pytest.fixture(scope="module")
def shop(model, tmp_path_factory) -> Iterator[RecommenderService]:
    store = open_store(sqlite_url(tmp_path_factory.mktemp("shop") / "steer.db"))
    yield RecommenderService(store, ServedModel((model, "v0001")), Explorer())
    store.close()


@pytest.fixture
def service(shop) -> Iterator[RecommenderService]:
    """The shop before anybody came."""
    yield shop
    with shop.store.transaction() as session:
        for table in (Feedback, tables.Event, Decision):
            session.execute(delete(table))


@dataclass(frozen=True)
class ServedModel:
    """A version that nothing replaces."""

    current: tuple[RecommenderModel, str]
