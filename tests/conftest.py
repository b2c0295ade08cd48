"""What several tests share: one training of the three apps, and one server with their pages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, Phase, settings

from tests.servers import Postgres, Redis, steer_server

# The encoder's weights come from the cache; nothing in the suite may reach for a hub.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
# A failure of a mutant need not be made small, only seen; and it is the same one every time.
settings.register_profile("mutants", max_examples=25, derandomize=True, phases=[Phase.generate], deadline=None)
# How long examples take to make says how busy the machine is.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")
# pytest-xdist's workers share the processors.
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
if IS_WORKER:
    os.environ["OMP_NUM_THREADS"] = "1"

# Trains less than the quick preset: the tests need policies that work, not the best ones.
SHORT = ["linear.iterations=2", "supervised.iterations=2", "rl.iterations=1", "encoder.adapt=top", "encoder.layers=3"]


def pytest_collection_modifyitems(items):
    """One worker trains at once; meanwhile the other runs the files that need nothing trained."""
    needing = dict.fromkeys(item.path for item in items if "runs" in item.fixturenames)
    first = next(iter(needing), None)
    items.sort(key=lambda item: 0 if item.path == first else 1 + (item.path in needing))


@pytest.fixture(scope="session")
def postgres():
    """A real PostgreSQL server."""
    server = Postgres()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def redis():
    """A real Redis server."""
    server = Redis()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request, tmp_path) -> str:
    """A new, empty store, on either engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'steer.db'}"
    return request.getfixturevalue("postgres").database(f"test_{uuid4().hex}")


@pytest.fixture
def store(store_url):
    from core.platform.store.database import open_store

    store = open_store(store_url)
    yield store
    store.close()


@pytest.fixture(scope="module")
def browser():
    """A real Chromium; a session's would keep its event loop running under the tests of other modules."""
    from tests.browser import opened_browser

    with opened_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> Path:
    """Folder with a real, shortly trained run of each app; `STEER_TEST_RUNS` names one that exists already."""
    folder = tmp_path_factory.mktemp("apps") / "runs"
    if "STEER_TEST_RUNS" in os.environ:
        trained = Path(os.environ["STEER_TEST_RUNS"])
    else:
        base = tmp_path_factory.getbasetemp()
        trained = (base.parent if IS_WORKER else base) / "trained"
        with FileLock(f"{trained}.lock"):  # one worker trains for all
            _train(trained)
    shutil.copytree(trained, folder)  # servers keep their versions and their store in it
    return folder


def _train(folder: Path) -> None:
    done = folder.with_suffix(".done")
    if not done.exists():
        settings = [part for override in SHORT for part in ("--set", override)]
        subprocess.run([sys.executable, "-m", "core", "train", "all", "--runs", str(folder), *settings], check=True)
        done.touch()


@pytest.fixture(scope="session")
def services(runs):
    """The apps' models by name."""
    from core.platform.apps.opening import open_model
    from core.platform.apps.spec import installed_apps
    from core.training.run import Run

    return {spec.name: open_model(spec, Run(runs / spec.name), apart=False) for spec in installed_apps()}


@pytest.fixture(scope="session")
def server(runs, tmp_path_factory):
    """Address of a running `steer serve`."""
    log = tmp_path_factory.mktemp("server") / "log"
    with steer_server(runs, log) as address:
        yield address
        assert "Traceback" not in log.read_text()
