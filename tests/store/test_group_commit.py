"""Commits that share one wait for the disk."""

import threading
import time

import pytest

from apps.customer_service.tables import Document
from core.platform.store.database import open_store, sqlite_url
from core.platform.store.group_commit import GroupCommit
from core.util.errors import UnavailableError


class SlowDisk(GroupCommit):
    """Takes a while, and remembers when each sync began."""

    def __init__(self, file):
        super().__init__(file)
        self.began, self.ended = [], []

    def _sync(self):
        self.began.append(time.monotonic())
        time.sleep(0.05)
        super()._sync()
        self.ended.append(time.monotonic())


def test_many_share_a_wait_and_each_is_covered_by_one_that_began_after_it_asked(tmp_path):
    file = tmp_path / "log"
    file.write_bytes(b"something")
    disk, calls, lock = SlowDisk(file), [], threading.Lock()

    def ask():
        for _ in range(5):
            asked = time.monotonic()
            disk()
            with lock:
                calls.append((asked, time.monotonic()))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 80
    assert len(disk.began) <= 20
    for asked, returned in calls:
        spans = zip(disk.began, disk.ended, strict=True)
        assert any(asked <= began and ended <= returned for began, ended in spans)


def test_where_the_log_has_gone_into_the_database_there_is_nothing_to_sync(tmp_path):
    GroupCommit(tmp_path / "absent")()


def test_a_disk_that_fails_is_no_acknowledged_write(tmp_path):
    store = open_store(sqlite_url(tmp_path / "steer.db"))

    class Broken(GroupCommit):
        def _sync(self):
            raise OSError(5, "Input/output error")

    store._on_disk = Broken(tmp_path / "steer.db-wal")
    with pytest.raises(UnavailableError) as caught, store.transaction() as session:
        session.add(Document(app="a", key="k", title="t", body="b"))
    assert "Input/output error" in caught.value.reason
    store.close()
