"""Two workspaces of one app on one server: nothing of the one is seen in the other."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from core.cli.main import app as steer
from core.platform.pages.task_app import find_apps
from core.platform.server.application import Serving, create_app
from core.platform.store import accounts
from core.platform.store.database import open_store, sqlite_url
from core.platform.versions.library import VERSIONS, Library
from core.platform.versions.metrics import Metrics
from core.platform.versions.promotion import promote
from core.training.loader import load_task, open_task
from core.training.run import Run
from core.training.workspace import FILE
from core.util.errors import SteerError
from tests.folders import temporary_folder

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
SHORT = ["linear.iterations=1", "supervised.iterations=1", "rl.iterations=1"]


def run_steer(*arguments: object) -> str:
    result = CliRunner().invoke(steer, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Iterator[list[Path]]:
    """Two desks of different articles, trained shortly into the same folder of runs."""
    with temporary_folder(tmp_path_factory, "workspaces") as home:
        yield two_desks(home)


def two_desks(home: Path) -> list[Path]:
    bikes, boats = home / "bikes", home / "boats"
    run_steer("new", "customer_service", bikes)
    run_steer("train", bikes, "--runs", home / "runs", *(part for each in SHORT for part in ("--set", each)))
    # The same policy answers from other articles: it reads them, and has learnt none by heart.
    shutil.copytree(bikes, boats)
    shutil.copytree(home / "runs" / "bikes", home / "runs" / "boats")
    (boats / "messages.csv").unlink()
    content = (
        (boats / FILE).read_text().replace("name: bikes", "name: boats").replace("title: Fernhill Bikes", "title: Boat")
    )
    (boats / FILE).write_text(content.replace("messages: messages.csv", ""))
    for article in (boats / "articles").iterdir():
        article.write_text(article.read_text().replace("bike", "boat").replace("Bike", "Boat"))
    return [bikes, boats]


@pytest.fixture(scope="module")
def keys(folders) -> dict[str, dict[str, str]]:
    """Headers of root, who may use everything, and of tim, who is an admin of `bikes` alone."""
    url = sqlite_url(folders[0].parent / "runs" / "steer.db")
    with closing(open_store(url)) as store, store.transaction() as session:
        accounts.create(session, "root", PASSWORD, "admin")
        accounts.create(session, "tim", PASSWORD, "admin", ["bikes"])
        issued = {name: accounts.issue_key(session, name, "tests")[1] for name in ("root", "tim")}
    return {name: {"Authorization": f"Bearer {key}"} for name, key in issued.items()}


@pytest.fixture(scope="module")
def client(folders, keys):
    """A client of root's, whose single requests may be tim's."""
    runs = folders[0].parent / "runs"
    store = open_store(sqlite_url(runs / "steer.db"))
    application = create_app(find_apps([str(each) for each in folders]), runs, store, Serving(accounts=True))
    with TestClient(application, "http://localhost", headers=keys["root"]) as client:
        yield client


@pytest.fixture
def tim(keys) -> dict[str, str]:
    return keys["tim"]


def say(client: TestClient, workspace: str, text: str) -> tuple[str, dict]:
    conversation = client.post(f"/v1/{workspace}/conversations").raise_for_status().json()["id"]
    reply = client.post(f"/v1/{workspace}/conversations/{conversation}/messages", json={"text": text})
    return conversation, reply.raise_for_status().json()


def test_each_answers_from_its_own_articles(client):
    for name, word, other in (("bikes", "bike", "boat"), ("boats", "boat", "bike")):
        texts = " ".join(each["title"] + each["body"] for each in client.get(f"/v1/{name}/articles").json()).lower()
        assert word in texts
        assert other not in texts
        _, reply = say(client, name, "How much is a day?")
        assert not [source for source in reply["sources"] if other in source["body"].lower()]


def test_conversations_and_decisions_of_one_are_not_there_in_the_other(client):
    conversation, reply = say(client, "bikes", "my secret word is zanzibar")
    assert client.get(f"/v1/bikes/conversations/{conversation}").status_code == 200
    assert client.get(f"/v1/boats/conversations/{conversation}").status_code == 404
    assert "zanzibar" not in client.get("/v1/boats/conversations").text
    address = f"decisions/{reply['decision']}/feedback"
    assert client.put(f"/v1/boats/{address}", json={"value": 1}).status_code == 404
    assert client.put(f"/v1/bikes/{address}", json={"value": 1}).status_code == 204


def test_each_has_a_page_a_model_of_its_own_and_tools(client):
    assert [each["id"] for each in client.get("/v1/models").json()["data"]] == ["steer-bikes", "steer-boats"]
    pages = {name: client.get(f"/{name}").text for name in ("bikes", "boats")}
    assert "Fernhill Bikes support" in pages["bikes"]
    tools = {each["api_name"] for each in client.get("/config").json()["dependencies"]}
    assert {"ask_support_bikes", "ask_support_boats"} <= tools
    assert set(client.get("/health").json()["apps"]) == {"bikes", "boats"}


def test_whoever_may_use_one_finds_every_route_and_page_of_the_other_closed(client, tim):
    paths = client.get("/v1/openapi.json").json()["paths"]
    routes = [
        (method, re.sub("{.*?}", "1", path.removeprefix("/v1/boats/")))
        for path, methods in paths.items()
        if path.startswith("/v1/boats/")
        for method in methods
    ]
    assert {"articles", "conversations", "decisions/1/feedback"} <= {path for _, path in routes}
    for method, path in routes:
        assert client.request(method, f"/v1/boats/{path}", headers=tim).status_code == 403, path
        assert client.request(method, f"/v1/bikes/{path}", headers=tim).status_code in (200, 201, 404, 422), path
    for page in ("/boats", "/boats/"):
        assert client.get(page, headers=tim).status_code == 403
    assert client.get("/bikes", headers=tim).status_code == 200
    asked = {"model": "steer-boats", "messages": [{"role": "user", "content": "How much is a day?"}]}
    assert [each["id"] for each in client.get("/v1/models", headers=tim).json()["data"]] == ["steer-bikes"]
    assert client.post("/v1/chat/completions", json=asked, headers=tim).status_code == 404
    assert client.post("/v1/chat/completions", json=asked | {"model": "steer-bikes"}, headers=tim).status_code == 200


def test_no_event_of_the_others_page_and_none_of_its_tools_is_taken(client, tim):
    known = client.get("/config").json()["dependencies"]
    tools = {each["api_name"]: each["id"] for each in known}

    def join(number: int) -> int:
        body = {"data": ["How much is a day?"], "fn_index": number, "session_hash": "knocking"}
        return client.post("/gradio_api/queue/join", json=body, headers=tim).status_code

    # What belongs to the second workspace stands behind all that belongs to the first.
    last = max(number for name, number in tools.items() if str(name).endswith("_bikes"))
    boats = [each["id"] for each in known if each["id"] > last]
    assert {tools["ask_support_boats"], tools["read_help_article_boats"]} < set(boats)
    assert {join(number) for number in boats} == {403}
    assert join(tools["ask_support_bikes"]) == 200


def counted(client: TestClient, name: str) -> dict[tuple, float]:
    """What the metrics say of a workspace."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
        if sample.labels.get("app", sample.labels.get("model", "")).partition(".")[0] == name
        and not sample.name.endswith("_created")
    }


def test_what_is_said_and_judged_in_one_is_counted_there_alone(client):
    bikes, boats = counted(client, "bikes"), counted(client, "boats")
    _, reply = say(client, "bikes", "How much is a day?")
    address = f"/v1/bikes/decisions/{reply['decision']}/feedback"
    client.put(address, json={"value": -1}).raise_for_status()
    assert counted(client, "boats") == boats
    grown = {key[0] for key, value in counted(client, "bikes").items() if value > bikes.get(key, 0)}
    assert {"steer_decisions_total", "steer_feedback_total", "steer_batch_size_count"} <= grown


def test_a_promotion_in_one_leaves_the_other_as_it_was(folders, client):
    def versions() -> dict[str, str]:
        return client.get("/ready").json()["versions"]

    assert versions() == {"bikes": "v0001", "boats": "v0001"}
    task, runs = load_task(str(folders[0])), folders[0].parent / "runs"
    run = Run(runs / task.name)
    with closing(open_store(sqlite_url(runs / "steer.db"))) as store:
        library = Library(store, runs / VERSIONS)
        version = library.register(open_task(task, run), run, Metrics.of(np.ones(50)))
        assert versions() == {"bikes": "v0001", "boats": "v0001"}  # nothing serves before it is promoted
        promote(library, task, version.name, "root")
    until = time.monotonic() + 240
    while versions()["bikes"] == "v0001":
        assert time.monotonic() < until
        time.sleep(0.5)
    assert versions() == {"bikes": "v0002", "boats": "v0001"}
    assert "v0002" not in run_steer("models", "list", "boats", "--runs", runs)
    say(client, "boats", "How much is a day?")
    assert {dict(key[1:])["version"] for key in counted(client, "boats") if key[0] == "steer_decisions_total"} == {
        "v0001"
    }


def test_a_desk_is_evaluated_beside_what_an_outsider_would_write(folders, tmp_path):
    bikes, _ = folders
    figures = tmp_path / "figures.json"
    run_steer("evaluate", bikes, "--runs", bikes.parent / "runs", "--json", figures)
    results = json.loads(figures.read_text())["results"]
    for policy in ("logistic", "linear", "supervised", "cost_optimal", "rl"):
        assert 0 <= results[f"bikes.{policy}"]["labels"]["intent"]["accuracy"] <= 1
    assert 0 <= results["bikes.rl"]["calibration"]["intent"]["after"] <= 1


def test_two_of_one_name_and_names_of_the_servers_own_are_refused(folders, tmp_path):
    with pytest.raises(SteerError, match="another one is called bikes"):
        find_apps([str(folders[0]), str(folders[0])])
    for name in ("health", "support"):
        other = tmp_path / name
        shutil.copytree(folders[0], other)
        (other / FILE).write_text((other / FILE).read_text().replace("name: bikes", f"name: {name}"))
        with pytest.raises(SteerError, match="choose another"):
            find_apps([str(other)])
