"""Publishing and retraining on a real file system that is full: told, nothing half done, done once there is room."""

import shutil
from contextlib import nullcontext

import pytest

from core.platform.retraining.run_once import RetrainingPolicy, run_once
from core.platform.store import versions
from core.platform.store.database import open_store, sqlite_url
from core.platform.versions.library import VERSIONS, Library
from core.platform.versions.metrics import Metrics
from core.training.run import Run
from core.util.errors import SteerError
from tests.retraining.conftest import judged_music
from tests.retraining.wishes import Wishes, settings
from tests.servers import fill, small_disk

pytestmark = pytest.mark.slow

SHORT = ["rl.iterations=2", "rl.warmup_ratio=0"]


class Progress:
    """Says nothing."""

    def say(self, text: str) -> None: ...

    def measured(self, job, outcome) -> None: ...

    def training(self):
        return nullcontext(lambda *_: None)


@pytest.fixture
def crowded(trained, tmp_path):
    """A library on a small disk, and the filler that can take all of its room."""
    with small_disk(tmp_path / "small", 320) as disk:
        others = shutil.ignore_patterns("linear", "supervised", "checkpoint")
        shutil.copytree(trained / Wishes.name, disk / Wishes.name, ignore=others)
        library = Library(open_store(sqlite_url(disk / "steer.db")), disk / VERSIONS)
        library.adopt(Wishes, disk, "test")
        judged_music(library, disk, 8)
        yield library, disk
        library.store.close()


def known(library) -> list[str]:
    with library.store.reading() as session:
        return [version.name for version in versions.registered(session, Wishes.name)]


def leave(disk, room: int) -> None:
    filler = fill(disk)
    with filler.open("r+b") as stream:
        stream.truncate(max(0, filler.stat().st_size - room))


def folders(library) -> list[str]:
    return sorted(path.name for path in (library.folder / Wishes.name).iterdir())


@pytest.mark.parametrize("room", [0, 60_000, 1_000_000])
def test_publishing(crowded, room):
    library, disk = crowded
    run = Run(disk / Wishes.name)
    leave(disk, room)
    with pytest.raises(SteerError, match=r"No space left"):
        library.register(Wishes(settings()), run, Metrics(), "a second one")
    assert known(library) == folders(library) == ["v0001"]
    assert [path.name for path in library.folder.iterdir() if path.name.startswith(".new.")] == []
    (disk / "filler").unlink()
    assert library.register(Wishes(settings()), run, Metrics(), "a second one").name == "v0002"


@pytest.mark.parametrize("room", [0, 1_000_000, 20_000_000, 60_000_000])
def test_retraining(crowded, room):
    library, disk = crowded
    policy = RetrainingPolicy(min_decisions=50, on_drift=False, promote=False, requested_by="test")
    leave(disk, room)
    with pytest.raises(SteerError, match=r"No space left"):
        run_once(Wishes, library, disk, SHORT, policy, Progress())
    assert known(library) == folders(library) == ["v0001"]
    (disk / "filler").unlink()
    run_once(Wishes, library, disk, SHORT, policy, Progress())
    assert known(library) == folders(library) == ["v0001", "v0002"]
