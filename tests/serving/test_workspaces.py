"""Two workspaces of one app on one server: nothing of the one is seen in the other."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from core.cli.main import app as steer
from core.platform.pages.task_app import find_apps
from core.platform.server.application import Serving, create_app
from core.platform.store.database import open_store, sqlite_url
from core.training.workspace import FILE
from core.util.errors import SteerError
from tests.folders import temporary_folder

pytestmark = pytest.mark.slow

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
def client(folders):
    runs = folders[0].parent / "runs"
    store = open_store(sqlite_url(runs / "steer.db"))
    application = create_app(find_apps([str(each) for each in folders]), runs, store, Serving())
    with TestClient(application, "http://localhost") as client:
        yield client


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


def test_two_of_one_name_and_names_of_the_servers_own_are_refused(folders, tmp_path):
    with pytest.raises(SteerError, match="another one is called bikes"):
        find_apps([str(folders[0]), str(folders[0])])
    for name in ("health", "support"):
        other = tmp_path / name
        shutil.copytree(folders[0], other)
        (other / FILE).write_text((other / FILE).read_text().replace("name: bikes", f"name: {name}"))
        with pytest.raises(SteerError, match="choose another"):
            find_apps([str(other)])
