"""What `steer serve` does where it cannot start, or can start in part only."""

import json
import shutil
import sqlite3
from contextlib import closing

import httpx
import pytest

from core.platform.store import accounts
from core.platform.store.database import open_store, sqlite_url
from core.platform.versions.library import VERSIONS, Library
from core.training.loader import load_task
from tests.command import steer
from tests.servers import fill, free_port, small_disk, steer_process
from tests.serving.conftest import TASK

OTHER = """
from tests.core.bandit import Bandit

class Other(Bandit):
    name = "other"
    title = "The same again"
"""
ASKED = {"inputs": {"text": "the striker scored twice"}}


def refused(*arguments: str) -> str:
    done = steer(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


@pytest.fixture
def port() -> str:
    return str(free_port())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve", "--api-only"], "run `steer train customer_service` first"),
        (["serve", "recommender", "--auth"], "run `steer train recommender` first"),
        (["serve", TASK], "run `steer train bandit` first"),
        (["serve", "--host", "0.0.0.0"], "turn accounts on"),
        (["serve", "--replicas", "2"], "run `steer train customer_service` first"),
        (["retrain", "finance_monitor"], "run `steer train finance_monitor` first"),
    ],
)
def test_what_cannot_start_leaves_nothing_behind(arguments, message, tmp_path, port):
    runs = tmp_path / "runs"
    where = [] if arguments[0] == "retrain" else ["--port", port]
    assert message in refused(*arguments, "--runs", str(runs), *where)
    assert not runs.exists()


def test_before_any_training_workspaces_can_be_made(tmp_path):
    with steer_process(tmp_path / "runs", tmp_path / "log") as (address, _):
        assert httpx.get(f"{address}/workspaces", timeout=60).status_code == 200
        assert httpx.get(f"{address}/ready", timeout=60).json()["versions"] == {}
    said = " ".join((tmp_path / "log").read_text().split())
    assert "Not trained, so not served: customer_service, finance_monitor, recommender" in said


def test_without_an_admin_accounts_start_nothing_and_leave_nothing_behind(small_runs, port):
    before = sorted(small_runs.rglob("*"))
    assert "create an admin first" in refused("serve", TASK, "--auth", "--runs", str(small_runs), "--port", port)
    assert sorted(small_runs.rglob("*")) == before


def test_a_store_of_a_newer_version_is_refused_in_a_sentence(small_runs, port):
    file = small_runs / "steer.db"
    open_store(sqlite_url(file)).close()
    with closing(sqlite3.connect(file)) as store:
        store.execute("UPDATE alembic_version_recommender SET version_num = '9999'")
        store.commit()
    for command in (["serve", TASK, "--port", port], ["store", "show"], ["users", "list"]):
        said = refused(*command, "--runs", str(small_runs))
        assert "is of a newer version of Steer: its tables are of revision 9999" in said
        assert said.count("steer:") == 1


@pytest.mark.slow
def test_a_damaged_version_stops_its_own_app_alone(small_runs, tmp_path):
    (tmp_path / "other.py").write_text(OTHER)
    shutil.copytree((small_runs / "bandit").resolve(), small_runs / "other")
    options = (TASK, str(tmp_path / "other.py"), "--json-logs")
    log = tmp_path / "log"
    store = open_store(sqlite_url(small_runs / "steer.db"))
    library = Library(store, small_runs / VERSIONS)
    for source in options[:2]:
        assert library.adopt(load_task(source), small_runs, "tests").name == "v0001"
    store.close()
    weights = small_runs / "versions" / "other" / "v0001" / "rl" / "model" / "policy.safetensors"
    flipped = bytearray(weights.read_bytes())
    flipped[len(flipped) // 2] ^= 1
    weights.write_bytes(flipped)
    with steer_process(small_runs, log, *options) as (address, _), httpx.Client(base_url=address, timeout=60) as client:
        ready = client.get("/ready")
        assert (ready.status_code, ready.json()["versions"]) == (200, {"bandit": "v0001"})
        assert ready.json()["out_of_order"] == ["other"]
        assert client.post("/v1/bandit/decisions", json=ASKED).status_code == 201
        answer = client.post("/v1/other/decisions", json=ASKED)
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert {client.get(page).status_code for page in ("/", "/bandit", "/other")} == {200}
        assert "This app is out of order" in client.get("/other").text
    told = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    (line,) = [line for line in told if line["event"] == "app out of order"]
    assert (line["level"], line["app"]) == ("error", "other")
    assert "policy.safetensors was changed" in line["reason"]


@pytest.mark.slow
def test_a_second_machine_without_the_versions_says_that_their_folder_is_shared(small_runs, tmp_path, postgres, port):
    url = postgres.database("two_machines")
    store = open_store(url)
    Library(store, small_runs / VERSIONS).adopt(load_task(TASK), small_runs, "tests")
    store.close()
    said = refused("serve", TASK, "--runs", str(tmp_path / "elsewhere"), "--store", url, "--port", port)
    assert "Servers of one store share one folder of versions" in said


@pytest.mark.slow
def test_a_server_whose_first_write_meets_a_full_disk_ends_and_says_why(runs, tmp_path, port):
    with small_disk(tmp_path / "small", 4) as disk:
        store = sqlite_url(disk / "steer.db")
        opened = open_store(store)
        with opened.transaction() as session:
            accounts.create(session, "root", "correct horse battery", "admin")
        opened.close()
        filler = fill(disk)
        with filler.open("r+b") as stream:  # the store opens, and cannot keep the articles
            stream.truncate(filler.stat().st_size - 120_000)
        arguments = ("--runs", str(runs), "--store", store, "--port", port)
        assert "full" in refused("serve", "customer_service", "--api-only", *arguments)
