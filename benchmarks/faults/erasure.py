"""Words of erased people: how many of them are found anywhere afterwards.

On a real server with accounts, a customer and an agent each say words of their own in every place that takes some. A
retraining learns from them, and a second admin lets a version serve. Then the customer erases herself, an admin the
other two, and every file is read for the words and for that admin's name: store, its log, logs of the server, runs,
versions, caches, an export, and a backup made afterwards.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4
from zipfile import ZipFile

import httpx
from rich.console import Console

from benchmarks.runs import trained
from benchmarks.serving.running import Server
from core.platform.store import versions
from core.platform.store.database import open_store, sqlite_url
from core.util.paths import cache_dir

_PLACES = ("conversation", "comment", "completion", "taken-back", "page", "list", "tool")
_WORDS_OF = {"customer": _PLACES, "clerk": (*_PLACES, "note")}
_PASSWORD = "correct horse battery"
_VOTES = 12
_PEOPLE = {"root": "admin", "customer": "viewer", "clerk": "agent"}
_SURGE = (
    "sued over fraud",
    "under criminal investigation",
    "recalls faulty products after injuries",
    "cuts guidance, shares plunge",
    "chief financial officer resigns amid scandal",
    "faces bankruptcy petition",
    "loses its largest customer",
    "plant burns down, production halted",
)


def erased_words_found(folder: Path) -> int:
    """Number of erased words that are found in files.

    Args:
        folder: Empty folder to play in; trained runs are copied into it, and missing ones trained shortly.
    """
    since, runs = time.time(), trained(folder / "runs", Console(quiet=True))
    publisher = f"zaphod{uuid4().hex[:12]}"  # names are kept in small letters
    keys = {name: _user(runs, name, role) for name, role in {**_PEOPLE, publisher: "admin"}.items()}
    said = {name: {at: f"Zaphod{uuid4().hex[:12]}{at}" for at in places} for name, places in _WORDS_OF.items()}
    words = [publisher, *(word for by_place in said.values() for word in by_place.values())]
    lasting = [word for word in words if not word.endswith("taken-back")]
    with Server(runs, options=["--auth"]) as server:
        people = {name: _client(server, key) for name, key in keys.items()}
        for name, by_place in said.items():
            _live(people[name], by_place)
        _note(people["clerk"], said["clerk"]["note"])
        _publish(runs, publisher)
        kept = _found(folder, since, lasting)
        if kept < len(lasting):
            raise RuntimeError(f"{kept} of {len(lasting)} words were kept in the first place; the others say nothing")
        _steer(runs, "retrain", "customer_service", "--min-decisions", "5", "--set", "rl.iterations=1")
        people["customer"].delete("/v1/users/customer").raise_for_status()
        for name in ("clerk", publisher):
            people["root"].delete(f"/v1/users/{name}").raise_for_status()
        _steer(runs, "store", "backup", str(folder / "backup.zip"))
        _steer(runs, "models", "export", "customer_service", "v0001", str(folder / "bot.zip"))
        while_serving = _found(folder, since, words)
    return max(while_serving, _found(folder, since, words))


def _live(person: httpx.Client, words: dict[str, str]) -> None:
    for number in range(_VOTES):
        made = person.post("/v1/support/conversations").raise_for_status().json()["id"]
        text = {"text": f"question {number}: where is my {words['conversation']}?"}
        reply = person.post(f"/v1/support/conversations/{made}/messages", json=text).raise_for_status().json()
        opinion = {"value": -1, "comment": f"no, {words['comment']}"}
        person.put(f"/v1/support/decisions/{reply['decision']}/feedback", json=opinion).raise_for_status()
    said = {"text": f"forget {words['taken-back']}"}
    person.post(f"/v1/support/conversations/{made}/messages", json=said).raise_for_status()
    person.delete(f"/v1/support/conversations/{made}/messages/last").raise_for_status()
    message = {"role": "user", "content": f"how do I return {words['completion']}"}
    person.post("/v1/chat/completions", json={"model": "steer-support", "messages": [message]}).raise_for_status()
    shown = person.post("/v1/recommender/lists", json={"words": f"space {words['list']}"}).raise_for_status().json()
    like = {"kind": "like", "item": shown["items"][0]["id"], "decision": shown["decision"]}
    person.post("/v1/recommender/profile/events", json=like).raise_for_status()
    _press(person, "ask", [f"where is {words['page']}", None])
    _press(person, "ask_support", [f"can I exchange {words['tool']}"])


def _press(person: httpx.Client, name: str, values: list[str | None]) -> None:
    """Use a page, or a tool, as a browser does."""
    made = person.get("/config").raise_for_status().json()["dependencies"]
    number = next(at for at, each in enumerate(made) if each["api_name"] == name)
    session = uuid4().hex
    body = {"fn_index": number, "data": values, "session_hash": session}
    person.post("/gradio_api/queue/join", json=body).raise_for_status()
    person.get("/gradio_api/queue/data", params={"session_hash": session}).raise_for_status()


def _note(clerk: httpx.Client, word: str) -> None:
    """Acknowledge an alert, and say why; correct a label."""
    company, now = f"Role {uuid4().hex[:6]}", datetime.now(UTC)
    items = [
        {
            "key": f"{company}-{at}",
            "time": (now - timedelta(hours=len(_SURGE) - at)).isoformat(),
            "company": company,
            "headline": headline,
        }
        for at, headline in enumerate(_SURGE)
    ]
    (alert, *_) = clerk.post("/v1/news/items", json={"items": items}).raise_for_status().json()["alerts"]
    clerk.post(f"/v1/news/alerts/{alert['id']}/acknowledge", json={"note": word}).raise_for_status()
    item = clerk.get("/v1/news/items", params={"company": company}).raise_for_status().json()[0]["id"]
    label = {"topic": "legal", "sentiment": "negative"}
    clerk.put(f"/v1/news/items/{item}/label", json=label).raise_for_status()


def _publish(runs: Path, admin: str) -> None:
    """Let the version serve on an admin's word, as the page of the workspaces does."""
    with closing(open_store(sqlite_url(runs / "steer.db"))) as store, store.transaction() as session:
        serving = versions.current(session, "customer_service")
        assert serving is not None
        versions.promote(session, serving, admin)


def _found(folder: Path, since: float, words: list[str]) -> int:
    cached = [file for file in _files(cache_dir()) if file.stat().st_mtime >= since]
    contents = [content for file in [*_files(folder), *cached] for content in _contents(file)]
    return sum(any(word.encode() in content for content in contents) for word in words)


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if file.is_file())


def _contents(file: Path) -> Iterator[bytes]:
    yield file.read_bytes()
    if file.suffix == ".zip":
        with ZipFile(file) as archive:
            yield from map(archive.read, archive.namelist())


def _client(server: Server, key: str) -> httpx.Client:
    return httpx.Client(base_url=server.address, headers={"Authorization": f"Bearer {key}"}, timeout=60)


def _user(runs: Path, name: str, role: str) -> str:
    """Create a user; their API key."""
    _steer(runs, "users", "add", name, "--role", role, "--password-file", "-", typed=_PASSWORD)
    return _steer(runs, "users", "key", name, "--name", "bench").strip()


def _steer(runs: Path, *arguments: str, typed: str = "") -> str:
    command = [sys.executable, "-m", "core", *arguments, "--runs", str(runs)]
    return subprocess.run(command, input=typed, capture_output=True, text=True, check=True).stdout
