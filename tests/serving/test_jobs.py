"""The queue of workspaces to train: nothing is lost, and nothing is done twice at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from core.platform.store import jobs
from core.platform.store.erasure import erase_person
from core.platform.store.schema import Job, now


@pytest.fixture
def enqueue(store):
    def enqueued(workspace: str) -> str:
        with store.transaction() as session:
            return jobs.enqueue(session, workspace, "ann").id

    return enqueued


def take(store, runner: str) -> Job | None:
    with store.transaction() as session:
        return jobs.take(session, runner)


def newest(store, workspace: str) -> Job:
    with store.reading() as session:
        return jobs.newest(session, workspace)


def lapse(store, workspace: str) -> None:
    """Let time pass: the runner of a job has not been heard of since."""
    with store.transaction() as session:
        jobs.newest(session, workspace).seen = now() - jobs.LEASE - timedelta(seconds=1)


def test_the_oldest_job_is_taken_first_and_by_one_runner_alone(store, enqueue):
    asked = [enqueue(name) for name in ("a", "b", "c")]
    with ThreadPoolExecutor(8) as pool:
        taken = [job.id for job in pool.map(lambda number: take(store, f"runner {number}"), range(8)) if job]
    assert sorted(taken) == sorted(asked)
    with store.reading() as session:
        assert not jobs.is_any_free(session)


def test_a_workspace_that_waits_or_is_trained_is_not_queued_again(store, enqueue):
    first = enqueue("a")
    assert enqueue("a") == first
    take(store, "one")
    assert enqueue("a") == first
    with store.transaction() as session:
        jobs.end(session, first, "one")
    assert enqueue("a") != first


def test_the_job_of_a_server_that_is_gone_is_taken_over_and_no_longer_its_own(store, enqueue):
    job = enqueue("a")
    take(store, "one")
    assert take(store, "two") is None
    lapse(store, "a")
    assert take(store, "two").attempts == 2
    with store.transaction() as session:
        assert not jobs.is_mine(session, job, "one", {})
        jobs.end(session, job, "one", "too late")
        assert jobs.is_mine(session, job, "two", {"stages": []})
    assert (newest(store, "a").state, newest(store, "a").error) == ("running", "")


def test_a_job_that_takes_its_servers_down_fails_after_five_times(store, enqueue):
    enqueue("a")
    for _ in range(5):
        assert take(store, "one") is not None
        lapse(store, "a")
    assert take(store, "one") is None
    assert newest(store, "a").state == "failed"
    assert "memory" in newest(store, "a").error


def test_a_server_that_is_told_to_stop_gives_its_job_back_at_once(store, enqueue):
    job = enqueue("a")
    for _ in range(7):
        take(store, "one")
        with store.transaction() as session:
            jobs.give_back(session, job, "one")
    assert take(store, "two").attempts == 1


def test_a_cancelled_job_is_nobodys(store, enqueue):
    waiting, running = enqueue("a"), enqueue("b")
    with store.transaction() as session:
        jobs.cancel(session, "a")
    assert take(store, "one").id == running
    with store.transaction() as session:
        jobs.cancel(session, "b")
        assert not jobs.is_mine(session, running, "one", {})
    assert [newest(store, name).state for name in ("a", "b")] == ["cancelled", "cancelled"]
    assert waiting != enqueue("a")


def test_erasing_whoever_asked_leaves_the_work(store, enqueue):
    enqueue("a")
    with store.transaction() as session:
        assert erase_person(session, "ann") == 1
    assert newest(store, "a").owner == ""
