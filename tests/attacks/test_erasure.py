"""What a person erases is found nowhere: not in the store's files, nor in logs, caches, exports or backups."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4
from zipfile import ZipFile

import httpx
import pytest

from core.util.paths import cache_dir
from tests.attacks.conftest import added
from tests.command import steer
from tests.serving.test_api import surge

pytestmark = pytest.mark.slow


@pytest.fixture
def new_user(guarded):
    """Create a user; their client, with their name as `name`."""
    clients = []

    def create(role: str) -> httpx.Client:
        name = f"{role}-{uuid4().hex[:12]}"
        headers = {"Authorization": f"Bearer {added(guarded.runs, {name: role})[name]}"}
        client = httpx.Client(base_url=guarded.address, headers=headers, timeout=60)
        client.name = name
        clients.append(client)
        return client

    yield create
    for client in clients:
        client.close()


@pytest.fixture
def word() -> str:
    return f"Zaphod{uuid4().hex[:12]}"


def live(person: httpx.Client, word: str) -> dict[str, str]:
    """Say and do something in every app, with the word in it; ids of what came of it."""
    made = person.post("/v1/support/conversations").raise_for_status().json()["id"]
    address = f"/v1/support/conversations/{made}"
    reply = person.post(f"{address}/messages", json={"text": f"my card {word} is lost"}).raise_for_status().json()
    judged = {"value": -1, "comment": f"no, {word}!"}
    person.put(f"/v1/support/decisions/{reply['decision']}/feedback", json=judged).raise_for_status()
    person.post(f"{address}/hand-over").raise_for_status()
    message = {"role": "user", "content": f"how do I return {word}"}
    person.post("/v1/chat/completions", json={"model": "steer-support", "messages": [message]}).raise_for_status()
    shown = person.post("/v1/recommender/lists", json={"words": f"space {word}"}).raise_for_status().json()
    event = {"kind": "like", "item": shown["items"][0]["id"], "decision": shown["decision"]}
    person.post("/v1/recommender/profile/events", json=event).raise_for_status()
    person.post("/v1/recommender/lists", json={"profile": True, "words": word}).raise_for_status()
    return {"conversation": made, "decision": reply["decision"], "list": shown["decision"]}


def on_the_page(person: httpx.Client, word: str) -> None:
    """Ask on the page of the bot, as a browser does."""
    made = person.get("/config").raise_for_status().json()["dependencies"]
    number = next(at for at, each in enumerate(made) if each["api_name"] == "ask")
    session = uuid4().hex
    body = {"fn_index": number, "data": [f"where is {word}", None], "session_hash": session}
    person.post("/gradio_api/queue/join", json=body).raise_for_status()
    assert word in person.get("/gradio_api/queue/data", params={"session_hash": session}).text


def upload(person: httpx.Client, word: str) -> None:
    """Send a file, as a page does that shows an own feed."""
    person.post("/gradio_api/upload", files={"files": ("feed.jsonl", word.encode())}).raise_for_status()


def found(guarded, since: float, *words: str) -> list[tuple[str, str]]:
    """Files that hold one of the words: of the runs, the log, the caches, a backup and an export made now.

    Nobody knew the words before `since`, so what was not written since then cannot hold them.
    """
    with TemporaryDirectory() as out:
        for command in (
            ("store", "backup", f"{out}/backup.zip"),
            ("models", "export", "customer_service", "v0001", f"{out}/bot.zip"),
        ):
            assert steer(*command, "--runs", str(guarded.runs)).returncode == 0
        return [
            (name, word)
            for folder in (guarded.runs.parent, cache_dir(), Path(out))
            for file in _files(folder, since)
            for name, content in _contents(file)
            for word in words
            if word.encode() in content
        ]


def _files(folder: Path, since: float) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if file.is_file() and file.stat().st_mtime >= since)


def _contents(file: Path) -> Iterator[tuple[str, bytes]]:
    yield str(file), file.read_bytes()
    if file.suffix == ".zip":
        with ZipFile(file) as archive:
            yield from ((f"{file.name}/{name}", archive.read(name)) for name in archive.namelist())


def test_of_a_person_who_erases_themself_nothing_is_found(guarded, new_user, word):
    since, person = time.time(), new_user("viewer")
    live(person, word)
    on_the_page(person, word)
    upload(person, word)
    kept = {"decisions.jsonl", "turns.jsonl", "feed.jsonl"}
    assert {Path(name).name for name, _ in found(guarded, since, word)} >= kept
    assert person.delete(f"/v1/users/{person.name}").status_code == 204
    assert person.get("/v1/support/conversations").status_code == 401
    for file in guarded.runs.parent.glob("out-*/*"):
        file.unlink()  # backups of before are the operator's to delete
    assert found(guarded, since, word, person.name) == []
    with guarded.client("root") as root:
        again = root.delete(f"/v1/users/{person.name}")
    assert again.status_code == 404
    assert again.json()["title"] == "Not Found"


def test_an_admin_erases_an_agent_with_what_they_noted(guarded, new_user, word):
    since, agent, company = time.time(), new_user("agent"), f"Role {uuid4().hex[:6]}"
    live(agent, word)
    pushed = agent.post("/v1/news/items", json={"items": surge(company)}).raise_for_status().json()
    (alert,) = pushed["alerts"]
    agent.post(f"/v1/news/alerts/{alert['id']}/acknowledge", json={"note": f"{word} said so"}).raise_for_status()
    item = agent.get("/v1/news/items", params={"company": company}).json()[0]["id"]
    agent.put(f"/v1/news/items/{item}/label", json={"topic": "legal", "sentiment": "negative"}).raise_for_status()
    with guarded.client("root") as root:
        assert root.delete(f"/v1/users/{agent.name.upper()}").status_code == 204
        left = root.get(f"/v1/news/alerts/{alert['id']}").raise_for_status().json()
    assert [(step["state"], step["who"], step["note"]) for step in left["history"][-1:]] == [("acknowledged", "", "")]
    assert found(guarded, since, word, agent.name) == []


def test_a_deleted_conversation_and_a_deleted_profile_leave_no_word(guarded, new_user, word):
    since, person = time.time(), new_user("viewer")
    made = live(person, word)
    talks = person.get("/v1/support/conversations").raise_for_status().json()
    assert len(talks) == 2
    for talk in talks:
        assert person.delete(f"/v1/support/conversations/{talk['id']}").status_code == 204
        assert person.delete(f"/v1/support/conversations/{talk['id']}").status_code == 404
    assert person.put(f"/v1/support/decisions/{made['decision']}/feedback", json={"value": 1}).status_code == 404
    assert person.delete("/v1/recommender/profile").json() == {"forgotten": 1}
    assert person.delete("/v1/recommender/profile").json() == {"forgotten": 0}
    event = {"kind": "like", "item": "1", "decision": made["list"]}
    assert person.post("/v1/recommender/profile/events", json=event).status_code == 404
    assert found(guarded, since, word) == []


def test_requests_in_flight_leave_nothing_of_whoever_is_erased(guarded, new_user, word):
    since, person = time.time(), new_user("viewer")
    talk = person.post("/v1/support/conversations").raise_for_status().json()["id"]
    is_over, statuses = threading.Event(), set[int]()

    def insist(path: str, body: dict) -> None:
        with httpx.Client(base_url=guarded.address, headers=person.headers, timeout=60) as client:
            while not is_over.is_set():
                statuses.add(client.post(path, json=body).status_code)

    message = {"role": "user", "content": f"where is {word}"}
    asked = [
        ("/v1/support/conversations", {}),
        (f"/v1/support/conversations/{talk}/messages", {"text": f"where is {word}"}),
        ("/v1/chat/completions", {"model": "steer-support", "messages": [message]}),
        ("/v1/recommender/lists", {"words": word, "profile": True}),
        ("/v1/recommender/profile/events", {"kind": "like", "item": "7"}),
    ]
    with ThreadPoolExecutor(10) as pool:
        ended = [pool.submit(insist, *each) for each in asked * 2]
        time.sleep(3)
        with guarded.client("root") as root:
            assert root.delete(f"/v1/users/{person.name}").status_code == 204
        time.sleep(1)
        is_over.set()
        for each in ended:
            each.result()
    assert {200, 201, 401} <= statuses <= {200, 201, 401, 404, 409}
    assert found(guarded, since, word, person.name) == []


def test_the_command_erases_while_the_server_goes_on(guarded, new_user, word):
    since, person = time.time(), new_user("viewer")
    live(person, word)
    upload(person, word)
    erased = steer("users", "delete", person.name, "--yes", "--runs", str(guarded.runs))
    assert erased.stdout.startswith(f"{person.name} is erased")
    assert person.get("/v1/support/conversations").status_code == 401
    assert found(guarded, since, word, person.name) == []
