"""Workspaces that are made, trained and published on a running server."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
from playwright.sync_api import expect

from core.platform.auth.access import Principal
from core.platform.store.database import open_store, sqlite_url
from core.platform.workspaces.service import WorkspaceService
from core.util.errors import ConflictError, NotFoundError, SteerError
from tests.browser import needs_browser
from tests.folders import temporary_folder
from tests.servers import free_port

ADMIN, VIEWER = Principal("local", "admin"), Principal("ann", "viewer")
SHORT = (
    "settings: {linear: {iterations: 1}, supervised: {iterations: 1}, rl: {iterations: 2}, "
    "encoder: {adapt: top, layers: 1}}"
)
Found = TypeVar("Found")


def wait_for(look: Callable[[], Found], seconds: float = 240) -> Found:
    """What is found as soon as there is something; the machine may be busy."""
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, look
        time.sleep(0.3)
    return found


class Served:
    """A server with a small task and the page of the workspaces, which can be killed and started again."""

    def __init__(self, runs: Path) -> None:
        self.runs, self.port, self.log = runs, free_port(), runs.parent / "log"
        self.address = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.serving.workspaces_server", str(self.runs), str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(lambda: self.status("/health") == 200 or self.process.poll() is not None)
        assert self.process.poll() is None, self.log.read_text()

    def end(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        self.process.wait(timeout=120)

    def status(self, path: str) -> int:
        with suppress(httpx.TransportError):
            return httpx.get(self.address + path, timeout=60).status_code
        return 0


@pytest.fixture(scope="module")
def served(small_run, tmp_path_factory) -> Iterator[Served]:
    with temporary_folder(tmp_path_factory, "workspaces") as folder:
        runs = folder / "runs"
        runs.mkdir()
        (runs / small_run.name).symlink_to(small_run)
        server = Served(runs)
        server.start()
        yield server
        server.end(signal.SIGTERM)
        assert "Traceback" not in server.log.read_text()


@pytest.fixture(scope="module")
def service(served) -> Iterator[WorkspaceService]:
    store = open_store(sqlite_url(served.runs / "steer.db"))
    yield WorkspaceService(store, served.runs)
    store.close()


@pytest.fixture(scope="module")
def games(service) -> str:
    """A workspace with the small shop, whose training takes seconds."""
    service.create(ADMIN, "recommender", "games", "Games <b>of ours</b>", with_example=True)
    text = service.config_text(ADMIN, "games")
    service.write_config_text(ADMIN, "games", text.replace("settings: {}", SHORT))
    return "games"


def job_state(service: WorkspaceService, name: str) -> str:
    job = service.view(ADMIN, name).job
    return job.state if job else ""


def stages_done(service: WorkspaceService, name: str) -> int:
    job = service.view(ADMIN, name).job
    return sum(stage.state == "done" for stage in job.progress.stages) if job else 0


def test_a_training_survives_a_kill_is_published_and_served_without_a_restart(served, service, games):
    service.train(ADMIN, games)
    wait_for(lambda: stages_done(service, games) >= 1)
    served.end(signal.SIGKILL)
    learnt = served.runs / games / "supervised" / "model"
    written = learnt.stat().st_mtime
    served.start()
    wait_for(lambda: job_state(service, games) in ("done", "failed"))
    assert job_state(service, games) == "done", service.view(ADMIN, games).job
    assert learnt.stat().st_mtime == written  # what was learnt before the kill is not learnt again
    assert "rl" in service.evaluation(ADMIN, games).played

    pid = served.process.pid
    assert served.status("/v1/games/items?title=the") == 404
    assert service.publish(ADMIN, games) == "v0001"
    wait_for(lambda: served.status("/v1/games/items?title=the") == 200)
    assert served.status("/games") == 200
    assert served.process.pid == pid
    assert httpx.get(f"{served.address}/ready", timeout=60).json()["versions"]["games"] == "v0001"
    paths = httpx.get(f"{served.address}/v1/openapi.json", timeout=60).json()["paths"]
    assert any(path.startswith("/v1/games/") for path in paths)

    served.end(signal.SIGTERM)
    served.start()
    assert served.status("/v1/games/items?title=the") == 200


def test_a_training_can_be_stopped_and_goes_on(served, service, games):
    text = service.config_text(ADMIN, games)
    service.write_config_text(ADMIN, games, text.replace("rl: {iterations: 2}", "rl: {iterations: 500, patience: 500}"))
    service.train(ADMIN, games)
    wait_for(lambda: stages_done(service, games) >= 1)
    service.cancel(ADMIN, games)
    assert job_state(service, games) == "cancelled"
    wait_for(lambda: "job is cancelled" in served.log.read_text())
    service.write_config_text(ADMIN, games, text)
    service.train(ADMIN, games)
    wait_for(lambda: job_state(service, games) in ("done", "failed"))
    assert job_state(service, games) == "done"


def test_whoever_is_no_admin_makes_nothing(service, games):
    with pytest.raises(SteerError, match="takes the role admin"):
        service.create(VIEWER, "recommender", "mine", "", with_example=True)
    for attempt in (service.train, service.cancel, service.publish, service.check, service.config_text):
        with pytest.raises(SteerError, match="takes the role admin"):
            attempt(VIEWER, games)


def test_an_admin_of_some_workspaces_sees_those_alone(service, games):
    service.create(ADMIN, "recommender", "books", "", with_example=False)
    names = [view.name for view in service.views(Principal("cleo", "admin", apps=frozenset({games})))]
    assert names == [games]
    assert {games, "books"} <= {view.name for view in service.views(ADMIN)}


@pytest.mark.parametrize("name", ["games", "v1", "recommender", "news", "../out", "Upper", "", "uploads"])
def test_names_that_are_taken_or_lead_elsewhere_are_refused(service, games, name):
    with pytest.raises(SteerError):
        service.create(ADMIN, "recommender", name, "", with_example=False)
    assert not (service._runs.parent / "out").exists()


@pytest.mark.parametrize("name", ["", "..", "nothing", "../workspaces/games"])
def test_there_is_no_workspace_of_such_a_name(service, games, name):
    with pytest.raises(NotFoundError):
        service.config_text(ADMIN, name)


@pytest.mark.parametrize("source", ["/etc/passwd", "../../steer.db", "~/.ssh/id_rsa", "data\\..\\..\\steer.db"])
def test_a_page_reads_no_file_of_the_server(service, games, source):
    text = service.config_text(ADMIN, games)
    with pytest.raises(SteerError, match="leads out of the workspace"):
        service.write_config_text(ADMIN, games, text.replace("source: items.csv", f"source: '{source}'"))
    assert service.config_text(ADMIN, games) == text


def test_files_become_a_table_whose_columns_are_mapped(service, tmp_path):
    service.create(ADMIN, "finance_monitor", "desk", "", with_example=False)
    file = tmp_path / "../tmp watch list.csv"
    file.write_text("ID;Company name;Ticker\n1;Acme <script>;ACM\n2;Beta;BET\n")
    service.put_files(ADMIN, "desk", "watchlist", [file])
    preview = service.preview(ADMIN, "desk", "watchlist")
    assert preview.files == ("data/watchlist/tmp_watch_list.csv",)
    assert preview.rows[0] == ("1", "Acme <script>", "ACM")
    assert dict(preview.mapping) == {"id": "ID", "ticker": "Ticker", "name": "Company name"}
    service.map_columns(ADMIN, "desk", "watchlist", {"id": "ID", "name": "Company name"})
    assert dict(service.preview(ADMIN, "desk", "watchlist").mapping) == {"id": "ID", "name": "Company name"}
    report = service.check(ADMIN, "desk").report.tables[0]
    assert (report.rows, report.taken) == (2, 2)
    with pytest.raises(SteerError, match="cannot be two fields"):
        service.map_columns(ADMIN, "desk", "watchlist", {"id": "ID", "name": "ID"})
    with pytest.raises(ConflictError):
        service.create(ADMIN, "finance_monitor", "desk", "", with_example=False)


@pytest.mark.parametrize(
    ("key", "name", "text", "fields"),
    [
        (
            "events",
            "jester.inter",
            "user_id:token\titem_id:token\trating:float\n7\tjoke-050\t3.06\n",
            "user item rating",
        ),
        ("events", "lists.txt", "12 7\n7 3\n", "user item"),
        ("items", "movies.dat", "1::Toy Story (1995)::Animation|Comedy\n", "id title tags year"),
    ],
)
def test_a_table_in_a_format_of_the_app_is_shown_as_a_table(tmp_path, key, name, text, fields):
    store = open_store(sqlite_url(tmp_path / "steer.db"))
    service = WorkspaceService(store, tmp_path)
    service.create(ADMIN, "recommender", "mine", "", with_example=False)
    (tmp_path / name).write_text(text)
    service.put_files(ADMIN, "mine", key, [tmp_path / name])
    preview = service.preview(ADMIN, "mine", key)
    store.close()
    assert (preview.problem, len(preview.rows) > 0) == ("", True)
    assert set(dict(preview.mapping)) == set(fields.split())


@needs_browser
def test_a_workspace_is_made_trained_and_published_wholly_on_the_page(browser, served, tmp_path):
    items, events = (tmp_path / name for name in ("our items.csv", "events.csv"))
    template = Path("apps/recommender/template")
    items.write_text((template / "items.csv").read_text().replace("title", "product title", 1))
    events.write_text((template / "events.csv").read_text())
    page = browser.new_page(base_url=served.address, locale="en-GB")
    page.set_default_timeout(120_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto("/")
    page.locator("#open-workspaces").click()
    page.get_by_role("button", name="New workspace").click()
    page.get_by_label("recommender").check()
    page.locator("#ws-name textarea, #ws-name input").fill("shop")
    page.locator("#ws-title textarea, #ws-title input").fill("Our <i>shop</i>")
    page.get_by_label("Begin with a small example").uncheck()
    page.locator("#ws-create").click()
    expect(page).to_have_url(re.compile("name=shop"))

    page.locator("#ws-files input[type=file]").set_input_files(items)
    expect(page.locator("#ws-preview")).to_contain_text("Harbour Lights")
    expect(page.locator("#ws-field-1 input")).to_have_value("product title")
    page.get_by_label("events: Events").check()
    page.locator("#ws-files input[type=file]").set_input_files(events)
    expect(page.locator("#ws-preview")).to_contain_text("BG-023")
    page.get_by_role("button", name="Everything else").click()
    code = page.locator("#ws-code .cm-content")
    code.press("Control+End")
    code.press_sequentially(f"\nnext_likes: 2\n{SHORT}\n")
    code.press("Tab")
    expect(code).not_to_be_focused()
    page.locator("#ws-save").click()
    page.locator("#ws-check_now").click()
    expect(page.locator("#ws-report")).to_contain_text("699 of 699 rows can be used")

    page.locator("#ws-train").click()
    expect(page.locator("#ws-job")).to_contain_text("Trained and evaluated", timeout=240_000)
    expect(page.locator("#ws-evaluation")).to_contain_text("reinforcement learning")
    page.locator("#ws-publish").click()
    page.locator("#ws-open").click()
    expect(page).to_have_url(re.compile("/shop$"))
    expect(page.locator(".steer-here")).to_have_text("Our <i>shop</i>")
    page.goto("/")
    expect(page.locator(".steer-card", has=page.locator("#open-shop"))).to_contain_text("v0001 serves since")
    assert errors == []
    page.close()
