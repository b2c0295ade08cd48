"""Files of the server stay where they are, and uploads go where they belong."""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

pytestmark = pytest.mark.slow

HEADLINE = "A headline that nobody uploaded"


@pytest.fixture(scope="module")
def config(ann) -> dict:
    """What the pages are made of, and what they call."""
    return ann.get("/config").json()


@pytest.fixture(scope="module")
def handlers(config) -> dict[str, int]:
    """Numbers of what the pages call, by name."""
    return {made["api_name"]: number for number, made in enumerate(config["dependencies"])}


@pytest.fixture(scope="module")
def replay(ann, config, handlers) -> Callable[[object], str]:
    """Shows a feed in the monitor, with every filter at rest."""
    kinds = {component["id"]: component["type"] for component in config["components"]}
    asked = config["dependencies"][handlers["upload"]]["inputs"]
    at_rest = {"dropdown": ""}

    def send(upload: object) -> str:
        data = [upload if kinds[at] == "uploadbutton" else at_rest.get(kinds[at]) for at in asked]
        return call(ann, handlers["upload"], *data)

    return send


@pytest.fixture
def feed(guarded) -> Path:
    """A file of the server's that would do as a feed."""
    file = guarded.runs / "private.jsonl"
    file.write_text(json.dumps({"time": "2026-03-01T00:00:00Z", "company": "x", "headline": HEADLINE}))
    return file


def call(client: httpx.Client, handler: int, *data: object) -> str:
    """What a page's handler answers."""
    session = uuid4().hex
    body = {"fn_index": handler, "data": data, "session_hash": session}
    client.post("/gradio_api/queue/join", json=body).raise_for_status()
    return client.get("/gradio_api/queue/data", params={"session_hash": session}).text


def as_upload(path: object, **more: str) -> dict:
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}, **more}


def test_a_file_of_the_server_is_not_taken_for_an_upload(ann, replay, feed):
    before = feed.read_bytes()
    (own,) = ann.post("/gradio_api/upload", files={"files": (feed.name, before)}).raise_for_status().json()
    assert '"success":true' in replay(as_upload(own))
    for path in (feed, f"{feed.parent}/./{feed.name}", f"/tmp/gradio/../..{feed}", f"/proc/self/root{feed}"):
        for sent in (as_upload(path), as_upload(path, url=f"file://{path}"), as_upload("x", url=f"file://{path}")):
            answer = replay(sent)
            assert HEADLINE not in answer
            assert '"success":false' in answer
    assert feed.read_bytes() == before


def test_a_file_of_the_server_is_not_taken_for_a_text(ann, handlers, guarded):
    """Gradio would copy the file to where pages load theirs from, and the text would tell the way there."""
    secret = as_upload(guarded.runs / "secret")
    shown = [
        call(ann, handlers["ask"], secret, None),
        call(ann, handlers["read"], "", secret),
        call(ann, handlers["describe"], secret, None),
        call(ann, handlers["search"], secret),
        ann.post("/gradio_api/run/read_headline", json={"data": [secret, ""]}).text,
    ]
    assert not [answer for answer in shown if "gradio_api/file=" in answer]
    assert all('"success":false' in answer or '"error"' in answer for answer in shown)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1/x.jsonl", "http://169.254.169.254/x.jsonl", "http://[::1]/x.jsonl"]
)
def test_the_server_fetches_nothing_from_its_own_network(replay, address):
    assert "failed validation" in replay(as_upload(address, url=address))


@pytest.mark.parametrize(
    "way", ["file=", "file/", "stream/", "proxy=", "component_server/", "dev_reload/", "monitoring/"]
)
def test_no_address_gives_out_a_file_of_the_server(guarded, ann, way):
    for file in (
        "/etc/passwd",
        f"{guarded.runs}/secret",
        f"{guarded.runs}/steer.db",
        "pyproject.toml",
        "../../etc/passwd",
    ):
        for spelt in (file, quote(file, safe=""), quote(quote(file, safe=""), safe=""), f"file://{file}"):
            answer = ann.get(f"/gradio_api/{way}{spelt}")
            assert answer.status_code in (400, 403, 404, 405, 422), (way, spelt)


@pytest.mark.parametrize(
    "folder", ["assets", "static", "svelte", "custom_component/x", "v1/support/articles", "theme.css"]
)
def test_no_dots_lead_out_of_a_folder(guarded, folder):
    host, port = guarded.address.removeprefix("http://").split(":")
    for dots in ("../", "..%2f", "%2e%2e/", "%252e%252e%252f", "..\\", "..%5c", "....//"):
        path = f"/{folder}/{dots * 9}etc/passwd"
        url = httpx.URL(scheme="http", host=host, port=int(port), raw_path=path.encode())
        answer = httpx.get(url, headers={"Authorization": f"Bearer {guarded.keys['ann']}"}, timeout=60)
        assert "root:" not in answer.text
        assert answer.status_code in (400, 403, 404), path


@pytest.mark.parametrize(
    "name", ["../../../../steer-evil.jsonl", "/tmp/steer-evil.jsonl", "..\\steer-evil.jsonl", "a\0.jsonl"]
)
def test_an_uploads_name_leads_nowhere(ann, name):
    (there,) = ann.post("/gradio_api/upload", files={"files": (name, b"{}")}).raise_for_status().json()
    assert Path(there).resolve().parent.parent.name == "gradio"
    assert not Path("/tmp/steer-evil.jsonl").exists()


def test_a_large_upload_is_refused(ann):
    assert ann.post("/gradio_api/upload", files={"files": ("large.jsonl", b"x" * 11_000_000)}).status_code == 413
