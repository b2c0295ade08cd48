"""`steer serve my_task.py`: a user's own task behind HTTP, with decisions, feedback and a plain page."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.folders import temporary_folder
from tests.servers import steer_server
from tests.training.conftest import save_page, steer

SHORT = ("linear.iterations=1", "supervised.iterations=3", "rl.iterations=1")


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[str]:
    settings = [part for setting in SHORT for part in ("--set", setting)]
    with temporary_folder(tmp_path_factory, "served") as folder:
        file, runs = save_page("labels-and-costs", folder), folder / "runs"
        steer("train", str(file), "--runs", str(runs), *settings)
        steer("evaluate", str(file), "--runs", str(runs))
        steer("models", "publish", str(file), "--runs", str(runs))
        steer("models", "promote", str(file), "v0001", "--runs", str(runs))
        with steer_server(runs, folder / "log", str(file)) as address:
            yield address


def ask(address: str, path: str, body: object, method: str = "POST") -> tuple[int, dict]:
    """Status and JSON of an answer."""
    content, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
    try:
        with urlopen(Request(f"{address}/v1/bicycle_shop/{path}", content, headers, method=method), timeout=60) as done:
            said = done.read()
            return done.status, json.loads(said) if said else {}
    except HTTPError as error:
        return error.code, json.loads(error.read())


def test_it_decides_and_takes_opinions(served):
    status, decided = ask(served, "decisions", {"inputs": {"text": "the chain of my bike broke"}})
    assert status == 201
    assert decided["action"] in {"answer", "workshop", "person"}
    assert 0 < decided["confidence"] <= 1
    assert decided["propensity"] == 1
    assert ask(served, f"decisions/{decided['id']}/feedback", {"value": 1}, "PUT")[0] == 204
    assert ask(served, f"decisions/{'0' * 32}/feedback", {"value": 1}, "PUT")[0] == 404
    assert ask(served, f"decisions/{decided['id']}/feedback", {"value": 2}, "PUT")[0] == 422


@pytest.mark.parametrize(
    "inputs",
    [{}, {"words": "no such column"}, {"text": 5}, {"text": None}, {"text": ["a", "b"]}, {"text": {"a": 1}}, "text"],
)
def test_inputs_that_are_no_state_are_refused_with_a_reason(served, inputs):
    status, problem = ask(served, "decisions", {"inputs": inputs})
    assert status in {400, 422}, problem
    assert problem["title"]
    assert ask(served, "decisions", {"inputs": {"text": "my brake squeals"}})[0] == 201


def test_a_request_that_nobody_can_read_leaves_those_beside_it_alone(served):
    inputs = [{"text": "my brake squeals"}, {"text": 5}, {"text": "do you ship abroad"}, {"other": "text"}] * 4
    with ThreadPoolExecutor(len(inputs)) as pool:
        statuses = list(pool.map(lambda each: ask(served, "decisions", {"inputs": each})[0], inputs))
    assert statuses == [201, 400, 201, 400] * 4


def test_a_column_that_the_policy_does_not_read_changes_nothing(served):
    plain, more = (
        ask(served, "decisions", {"inputs": {"text": "do you ship abroad", **other}}) for other in ({}, {"note": 3})
    )
    assert plain[0] == more[0] == 201
    assert plain[1]["action"] == more[1]["action"]


def test_its_page_and_the_state_of_the_server_name_it(served):
    with urlopen(f"{served}/bicycle_shop", timeout=60) as page:
        assert page.status == 200
    with urlopen(f"{served}/ready", timeout=60) as ready:
        assert ready.status == 200
        assert "v0001" in ready.read().decode()


def test_a_task_that_was_never_trained_says_what_to_run(tmp_path):
    file = save_page("turns", tmp_path)
    with pytest.raises(AssertionError) as failed, steer_server(tmp_path / "runs", tmp_path / "log", str(file)):
        pass
    assert "steer train" in " ".join(str(failed.value).split())
    assert "Traceback" not in Path(tmp_path / "log").read_text()
