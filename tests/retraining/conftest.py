"""The small task with a wish that changes, a trained run of it, and people who judge what it does."""

import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from core.platform.store import decisions
from core.platform.store.database import open_store, sqlite_url
from core.platform.versions.library import VERSIONS, Library
from core.rl.explore import Explorer
from core.training.run import Run, trained_policy
from core.training.train import train
from tests.folders import temporary_folder
from tests.retraining.wishes import NEW_KIND, NEW_SENTENCES, OLD_KIND, Wishes, settings

PEOPLE = ["ann", "bob", "cid", "dan", "eve", "fay", "gus", "hal"]
ENDINGS = ["", ".", "!", "?", ";", ",", ":", " -"]


def quiet(*_):
    pass


@pytest.fixture(scope="package")
def trained(tmp_path_factory) -> Iterator[Path]:
    """Folder of a run that was trained before anybody asked about music."""
    with temporary_folder(tmp_path_factory, "runs") as folder:
        train(Wishes(settings()), Run(folder / Wishes.name), quiet, quiet)
        (Run(folder / Wishes.name).model("rl") / "encoder" / "model.safetensors").unlink()  # never read; 90 MB less
        yield folder


@pytest.fixture
def runs(trained, tmp_path) -> Path:
    shutil.copytree(trained / Wishes.name, tmp_path / Wishes.name)
    return tmp_path


@pytest.fixture
def library(runs):
    library = Library(open_store(sqlite_url(runs / "steer.db")), runs / VERSIONS)
    library.adopt(Wishes, runs, "test")
    yield library
    library.store.close()


@pytest.fixture
def judge_music(library, runs):
    """People ask about music, each in words of their own, and tell whether the answer was what they wished."""
    return lambda *people, **options: judged_music(library, runs, *people, **options)


def judged_music(library: Library, runs: Path, people: int = 8, others: Collection[str] = ()) -> None:
    """`others` are people who wish the old."""
    policy = trained_policy(Wishes(settings()), Run(runs / Wishes.name))
    explorer = Explorer(1.0, seed=0)
    with library.store.transaction() as session:
        for name, ending in zip(PEOPLE[:people], ENDINGS[:people], strict=True):
            texts = tuple(f"{text}{ending}" for text in NEW_SENTENCES)
            wished = OLD_KIND if name in others else NEW_KIND
            for text, row in zip(texts, policy.logits({"text": texts}).exp().double().numpy(), strict=True):
                action, propensity = explorer.choose(0.5 * row + 0.5 / len(row))
                state = {"text": text, "confidence": float(row.max())}
                made = {"app": Wishes.name, "owner": name, "version": "v0001", "state": state, "action": [action]}
                decision = decisions.keep(session, **made, propensity=propensity)
                decisions.judge(session, decision, name, 1.0 if action == wished else -1.0, {})
