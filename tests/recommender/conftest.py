from pathlib import Path

import numpy as np
import pytest

from apps.recommender.candidates import CandidateBuilder
from apps.recommender.data import Events, MovieLens, load_movielens
from apps.recommender.engine import RecommenderEngine
from apps.recommender.retriever import RetrieverSettings
from apps.recommender.retriever_cache import open_retriever
from apps.recommender.service import RecommenderService
from apps.recommender.task import Recommender
from core.models.weights import DEFAULT_ENCODER
from core.platform.inference.engine import Engine
from core.training.loader import open_task
from core.training.run import Run
from core.training.settings import load_settings
from core.util.files import write_text

FILMS = 1500


@pytest.fixture(scope="session")
def data() -> MovieLens:
    return load_movielens()


@pytest.fixture(scope="session")
def small(data) -> MovieLens:
    """The best-known films and what a third of the users rated of them: real, and quick to train on."""
    counts = np.bincount(np.concatenate([events.items for events in data.users.values()]), minlength=len(data.items))
    kept = np.sort(np.argsort(-counts, kind="stable")[:FILMS])
    row = np.full(len(data.items), -1)
    row[kept] = np.arange(FILMS)
    users = {}
    for user, events in data.users.items():
        known = row[events.items] >= 0
        if user % 3 == 0:
            users[user] = Events(row[events.items[known]], events.ratings[known])
    return MovieLens(tuple(data.items[at] for at in kept), users)


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("retrievers")


@pytest.fixture(scope="session")
def retriever_settings() -> RetrieverSettings:
    return RetrieverSettings(DEFAULT_ENCODER, seed=0, epochs=6)


@pytest.fixture(scope="session")
def maker(small, cache, retriever_settings) -> CandidateBuilder:
    return CandidateBuilder(small, open_retriever(small, retriever_settings, print, cache))


@pytest.fixture(scope="session")
def task(small, maker) -> Recommender:
    """The task on the small data; everything else is as it ships."""
    task = Recommender(load_settings(Recommender.presets["quick"]))
    task.data = small
    task.maker = maker
    return task


@pytest.fixture(scope="session")
def service(task, tmp_path_factory) -> RecommenderService:
    """A service on a policy that starts where the retriever ended, saved and loaded like a trained one."""
    run = Run(tmp_path_factory.mktemp("runs") / "recommender")
    write_text(run.folder / "settings.yaml", "{}\n")
    task.policy().save(run.model("rl"))
    assert open_task(Recommender, run).name == "recommender"
    return RecommenderService(task, Engine({"lists": RecommenderEngine(task, run).score_all}))
