"""Whatever the order in which news arrive, and whoever reads them after which restart: the same alerts, each told once.

See `apps.finance_monitor.alerts` for what is promised. Here everything is real: model, stores, services.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.finance_monitor.app import app
from apps.finance_monitor.feed import Item
from apps.finance_monitor.records import AlertHistory
from apps.finance_monitor.replay import PinnedModel
from apps.finance_monitor.service import MonitorService
from core.platform.apps.opening import open_model
from core.platform.store.database import open_store, sqlite_url
from core.rl.explore import Explorer
from core.training.run import Run

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PRESENT = NOON + 30 * 24 * HOUR
BAD = [
    "profit halves after plant fire", "faces lawsuit over toxic leak", "cuts outlook and lays off thousands",
    "chief executive resigns amid fraud probe", "recalls its main product after injuries",
    "shares plunge as auditor quits", "is fined for price fixing", "warns of heavy losses",
    "mine is flooded, output stops", "loses its largest customer",
]  # fmt: skip
GOOD = ["opens a new office", "raises its dividend", "wins a prize for design"]
FEW = settings(max_examples=10, suppress_health_check=[HealthCheck.large_base_example, HealthCheck.data_too_large])


@pytest.fixture(scope="module")
def live(runs):
    return PinnedModel((open_model(app, Run(runs / "finance_monitor"), apart=False), "v0001"))


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> Path:
    """A store without news; to copy it is faster than to make its tables each time."""
    file = tmp_path_factory.mktemp("empty") / "steer.db"
    open_store(sqlite_url(file)).close()
    return file


@st.composite
def news(draw: st.DrawFn) -> list[Item]:
    """Items of two companies in any order of arrival: surges, copies, trickle, late ones, some of the future."""
    headlines = [*BAD, *BAD, *GOOD]
    items = []
    for number, text in enumerate(draw(st.lists(st.sampled_from(headlines), min_size=6, max_size=16))):
        hours = draw(st.floats(0, 10) | st.floats(0, 10) | st.floats(0, 100) | st.just(20_000.0))
        company = draw(st.sampled_from(["Acme", "Acme", "Borealis"]))
        time = NOON + timedelta(hours=round(hours, 2))
        items.append(Item(key=f"{number}", time=time, company=company, headline=f"{company} {text}"))
    return items


class Servers:
    """Servers over one store that live until they are killed, which leaves what the store holds."""

    def __init__(self, live: PinnedModel, file: Path) -> None:
        self.live, self.store = live, open_store(sqlite_url(file))
        self.running: list[MonitorService] = []

    def started(self) -> MonitorService:
        service = MonitorService(self.store, self.live, Explorer(), present=lambda: PRESENT)
        self.running.append(service)
        return service


def alerts(service: MonitorService) -> list[AlertHistory]:
    service.tick()
    found = [service.alert(alert.id) for alert in service.alerts(500)]
    for alert in found:
        told = [step for step in alert.history if step.state == "open" and not step.note]  # not woken
        assert len(told) == 1
        assert alert.reason.hours >= 0
    return found


def facts(found: Sequence[AlertHistory]) -> set[str]:
    wanted = {"company", "opened", "state", "severity", "reason"}
    return {alert.model_dump_json(include=wanted) for alert in found}


@given(news(), st.data())
@FEW
def test_any_order_of_arrival_tells_the_same_surges(live, empty, items, data):
    found = []
    for some in (sorted(items, key=lambda item: (item.time, item.key)), data.draw(st.permutations(items))):
        with TemporaryDirectory() as folder:
            servers = Servers(live, Path(copy(empty, folder)))
            service = servers.started()
            for item in some:
                service.push([item])
            found.append(facts(alerts(service)))
            servers.store.close()
    ordered, arrived = found
    assert ordered <= arrived  # what was told on the way stays told


@given(news(), st.data())
@FEW
def test_any_restart_and_any_number_of_servers_end_alike(live, empty, items, data):
    items = data.draw(st.permutations(items))
    with TemporaryDirectory() as folder, TemporaryDirectory() as other:
        alone = Servers(live, Path(copy(empty, folder)))
        service = alone.started()
        for item in items:
            service.push([item])
        expected = alerts(service)
        alone.store.close()
        many, rest = Servers(live, Path(copy(empty, other))), list(items)
        while rest:
            what = data.draw(st.sampled_from(["push", "push", "start", "tick", "kill"]))
            if what == "kill":
                many.running.clear()
            if what == "start" or not many.running:
                many.started()
            service = data.draw(st.sampled_from(many.running))
            if what == "tick":
                service.tick()
            if what == "push":
                count = data.draw(st.integers(1, 5))
                service.push([*rest[:count], *items[:1]])  # one is delivered again
                rest = rest[count:]
        for service in (*many.running, many.started()):
            assert [alert.model_dump(exclude={"history"}) for alert in alerts(service)] == [
                alert.model_dump(exclude={"history"}) for alert in expected
            ]
        many.store.close()


def shown(service: MonitorService) -> tuple[object, ...]:
    """All that a page shows but the numbers of items and alerts."""
    lines = {item.model_dump_json(exclude={"id"}) for item in service.items(500) if not item.is_ahead}
    return facts(alerts(service)), service.watchlist(), service.trend(None, None, 90), service.counts(), lines


@given(news(), st.sampled_from([1e-3, 1, 500, 1_000_000]))
@FEW
def test_items_of_the_future_change_nothing_but_their_own_line(live, empty, items, hours):
    """Whether they are dated a moment ahead or a century, wherever they come between the others."""
    past = [item for item in items if item.time <= PRESENT]
    ahead = [item.model_copy(update={"time": PRESENT + hours * HOUR, "key": f"ahead {item.key}"}) for item in past]
    seen = []
    for some in (past, [item for pair in zip(ahead, past, strict=True) for item in pair]):
        with TemporaryDirectory() as folder:
            servers = Servers(live, Path(copy(empty, folder)))
            service = servers.started()
            for item in some:
                service.push([item])
            seen += [shown(each) for each in (service, servers.started())]
            servers.store.close()
    assert seen == seen[:1] * 4
