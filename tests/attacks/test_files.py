"""Files of the server stay where they are, and uploads go where they belong."""

import json
import shutil
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from core.platform.pages.uploads import UPLOADS, remove_old

pytestmark = pytest.mark.slow

UPLOAD = "/gradio_api/upload"
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


def test_a_file_of_the_server_is_not_taken_for_an_upload(guarded, ann, replay, feed):
    before = feed.read_bytes()
    (own,) = ann.post(UPLOAD, files={"files": (feed.name, before)}).raise_for_status().json()
    assert '"success":true' in replay(as_upload(own))
    for path in (
        feed,
        f"{feed.parent}/./{feed.name}",
        f"{guarded.runs}/{UPLOADS}/../{feed.name}",
        f"/proc/self/root{feed}",
    ):
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
    assert all('"success":false' in answer or "does not accept direct" in answer for answer in shown)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "0.0.0.0"])
def test_the_server_fetches_nothing_from_its_own_network(replay, host):
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        address = f"http://{host}:{listener.getsockname()[1]}/x.jsonl"
        assert '"success":false' in replay(as_upload(address, url=address))
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):  # nobody has called
            listener.accept()


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
def test_an_uploads_name_leads_nowhere(guarded, ann, name):
    (there,) = ann.post(UPLOAD, files={"files": (name, b"{}")}).raise_for_status().json()
    assert Path(there).resolve().parent.parent == (guarded.runs / UPLOADS).resolve()
    assert not Path("/tmp/steer-evil.jsonl").exists()


def uploaded(guarded) -> set[Path]:
    return {path for path in (guarded.runs / UPLOADS).rglob("*") if path.is_file()}


def test_a_large_upload_is_refused(ann):
    assert ann.post(UPLOAD, files={"files": ("large.jsonl", b"x" * 11_000_000)}).status_code == 413


def test_an_upload_of_many_files_or_texts_is_refused_before_it_is_read(guarded, bob):
    before = uploaded(guarded)
    many = [("files", (f"{at}.jsonl", b"x" * 1_000_000)) for at in range(12)]
    assert bob.post(UPLOAD, files=many).status_code == 413
    assert bob.post(UPLOAD, files={"files": ("a", b"x")}, data={"text": "x" * 11_000_000}).status_code == 413
    assert uploaded(guarded) == before


def test_an_upload_of_unknown_length_is_refused_while_it_is_read(bob):
    def body():
        yield b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n'
        for _ in range(1_100):
            yield b"x" * 10_000

    assert (
        bob.post(UPLOAD, content=body(), headers={"Content-Type": "multipart/form-data; boundary=x"}).status_code == 413
    )


@pytest.mark.parametrize("way", ["process_recording", "component_server", "upload/", "queue/join", "call/ask"])
def test_files_are_taken_at_one_address_alone(bob, way):
    assert bob.post(f"/gradio_api/{way}", files={"files": ("a.jsonl", b"{}")}).status_code == 415


def test_who_uploads_again_and_again_is_turned_away(guarded):
    with guarded.client("root") as root:
        statuses = [root.post(UPLOAD, files={"files": ("a.jsonl", b"{}")}).status_code for _ in range(31)]
    assert statuses == [200] * 30 + [429]


def test_what_a_broken_upload_leaves_goes_and_nobody_else_reads_it(guarded, bob, tmp_path):
    def body():
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        yield b"x" * 1_000_000
        raise ConnectionError("the client has gone")

    with pytest.raises(ConnectionError):
        bob.post(UPLOAD, content=body(), headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert stat.S_IMODE((guarded.runs / UPLOADS).stat().st_mode) == 0o700
    (copy := tmp_path / UPLOADS).mkdir()
    shutil.copytree(guarded.runs / UPLOADS, copy, dirs_exist_ok=True)
    before = sorted(copy.rglob("*"))
    remove_old(copy, time.time() - 3600)
    assert sorted(copy.rglob("*")) == before
    assert before
    remove_old(copy, time.time() + 60)
    assert list(copy.iterdir()) == []
