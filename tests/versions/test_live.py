"""Promotions while people are served: the old version or the new one, never something between."""

import threading
import time

import pytest
from structlog.testing import capture_logs

from core.platform.versions.library import Library
from core.platform.versions.live import LiveModel
from core.platform.versions.promotion import promote, rollback
from core.training.loader import open_task
from core.training.run import Run, trained_policy
from core.training.task import greedy
from core.util.errors import SteerError
from tests.core.bandit import Bandit

SOUP = {"text": ("the soup is hot",)}


class Sorter:
    """Tells what a sentence is about, by the policy of a run."""

    def __init__(self, run: Run) -> None:
        self.version = run.folder.name
        self._decide = greedy(trained_policy(open_task(Bandit, run), run))
        self._lock = threading.Lock()

    def about(self) -> int:
        with self._lock:
            return int(self._decide(SOUP)[0, 0])


@pytest.fixture
def filled(library, task, good, good_metrics, spoilt, spoilt_metrics) -> Library:
    """v0001 serves, v0002 decides otherwise."""
    library.register(task, good, good_metrics)
    library.register(task, spoilt, spoilt_metrics)
    promote(library, Bandit, "v0001", "ann")
    return library


@pytest.fixture
def live(filled):
    live = LiveModel(filled, "bandit", Sorter, seconds=600)
    yield live
    live.close()


def test_a_promotion_is_taken_up_at_once_when_asked_for(filled, live):
    assert live.current[1] == "v0001"
    before = live.current[0].about()
    promote(filled, Bandit, "v0002", "ann", "to see it change")
    assert live.current[1] == "v0001"
    live.refresh()
    assert live.current[1] == "v0002"
    assert live.current[0].about() != before


def test_the_old_service_is_retired_when_its_last_requests_are_answered(filled, monkeypatch):
    monkeypatch.setattr("core.platform.versions.live._LAST_REQUESTS_SECONDS", 0.2)
    retired: list[Sorter] = []
    live = LiveModel(filled, "bandit", Sorter, seconds=600, retire=retired.append)
    old = live.current[0]
    promote(filled, Bandit, "v0002", "ann", "to see it change")
    live.refresh()
    assert retired == []
    time.sleep(1)
    assert retired == [old]
    assert live.current[0] is not old
    live.close()


def test_a_promotion_is_taken_up_by_itself_after_a_while(filled):
    live = LiveModel(filled, "bandit", Sorter, seconds=0.05)
    promote(filled, Bandit, "v0002", "ann", "to see it change")
    end = time.monotonic() + 30
    while live.current[1] != "v0002" and time.monotonic() < end:
        time.sleep(0.01)
    live.close()
    assert live.current[1] == "v0002"


def test_readers_never_see_a_half_state(filled, live):
    right = {"v0001": live.current[0].about()}
    promote(filled, Bandit, "v0002", "ann", "to see it change")
    live.refresh()
    right["v0002"] = live.current[0].about()
    wrong, seen, done = [], set(), threading.Event()

    def read() -> None:
        while not done.is_set():
            service, version = live.current
            seen.add(version)
            if service.version != version or service.about() != right[version]:
                wrong.append((service.version, version))

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for _ in range(4):
        rollback(filled, "bandit", "ann")
        live.refresh()
        promote(filled, Bandit, "v0002", "ann", "once more")
        live.refresh()
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert seen == {"v0001", "v0002"}


def test_nobody_waits_for_a_version_that_is_still_being_opened(filled):
    opening, go_on = threading.Event(), threading.Event()

    def open_slowly(run: Run) -> Sorter:
        if run.folder.name == "v0002":
            opening.set()
            assert go_on.wait(60)
        return Sorter(run)

    live = LiveModel(filled, "bandit", open_slowly, seconds=600)
    promote(filled, Bandit, "v0002", "ann", "to see it change")
    refreshing = threading.Thread(target=live.refresh)
    refreshing.start()
    assert opening.wait(60)
    assert live.current[1] == "v0001"
    go_on.set()
    refreshing.join()
    assert live.current[1] == "v0002"
    live.close()


def test_a_version_that_does_not_open_leaves_the_old_one_serving_and_is_logged_once(filled, live):
    promote(filled, Bandit, "v0002", "ann", "to see it fail")
    (filled.folder / "bandit/v0002/settings.yaml").write_text("seed: 7\n")
    with capture_logs() as logs:
        for _ in range(3):
            live.refresh()
    assert live.current[1] == "v0001"
    [entry] = logs
    assert (entry["log_level"], entry["app"], entry["serving"]) == ("error", "bandit", "v0001")
    assert "settings.yaml was changed" in entry["reason"]


def test_the_next_promotion_after_a_failed_one_is_taken_up(filled, live, task, good, good_metrics):
    promote(filled, Bandit, "v0002", "ann", "to see it fail")
    (filled.folder / "bandit/v0002/settings.yaml").write_text("seed: 7\n")
    live.refresh()
    filled.register(task, good, good_metrics)
    promote(filled, Bandit, "v0003", "ann")
    live.refresh()
    assert live.current[1] == "v0003"


def test_before_the_first_promotion_nothing_can_go_live(library):
    with pytest.raises(SteerError, match="no version of bandit serves yet"):
        LiveModel(library, "bandit", Sorter)


def test_closing_ends_the_thread(live):
    live.close()
    assert not any(thread.name == "versions of bandit" for thread in threading.enumerate())
