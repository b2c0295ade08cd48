"""A monitor of the shortly trained model, over a store of its own."""

import pytest

from apps.finance_monitor.replay import PinnedModel
from apps.finance_monitor.service import MonitorService
from core.platform.store.database import open_store
from core.rl.explore import Explorer


@pytest.fixture(scope="module")
def model(services):
    return services["finance_monitor"]


@pytest.fixture(scope="module")
def live(model):
    return PinnedModel((model, "v0001"))


@pytest.fixture
def scratch(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'steer.db'}")
    yield store
    store.close()


@pytest.fixture
def monitor(scratch, live):
    return MonitorService(scratch, live, Explorer())
