"""Schemathesis reads the OpenAPI document and sends whatever it describes, and much that it does not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

# Left out: what a description cannot say (which users there are), and methods that the pages' router answers.
LEFT_OUT = "positive_data_acceptance,unsupported_method"


def sent_by_schemathesis(guarded, folder: Path, name: str, *options: str) -> dict:
    """Run it with an agent's key; its report, with the number of answers of the kind 5xx."""
    config = folder / "schemathesis.toml"
    config.touch()
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "--no-color", "run"),
        f"{guarded.address}/v1/openapi.json",
        *("--header", f"Authorization: Bearer {guarded.keys[name]}"),
        *("--max-examples", "30", "--seed", "4", "--exclude-checks", LEFT_OUT, "--warnings", "off"),
        *("--continue-on-failure", "--report-json-path", str(folder / "report.json")),
        *("--report-har-path", str(folder / "traffic.har"), *options),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=360)
    assert (folder / "report.json").is_file(), done.stdout + done.stderr
    report = json.loads((folder / "report.json").read_text())
    answers = [
        entry["response"]["status"] for entry in json.loads((folder / "traffic.har").read_text())["log"]["entries"]
    ]
    failed = sum(status >= 500 for status in answers)
    tested, made = report["operations"]["tested"], report["test_cases"]["generated"]
    print(f"\nschemathesis: {tested} operations, {made} examples, {failed} server errors")
    assert done.returncode == 0, done.stdout
    return {**report, "server_errors": failed, "statuses": set(answers)}


@pytest.mark.parametrize("name", ["carol", "bob"])
def test_no_request_makes_the_server_fail_and_every_answer_is_as_described(guarded, tmp_path, name):
    report = sent_by_schemathesis(guarded, tmp_path, name)
    assert report["operations"]["tested"] == report["operations"]["total"] >= 29
    assert report["server_errors"] == 0
    assert {200, 201, 400, 401, 404, 422} <= report["statuses"]


def test_nothing_that_is_done_to_a_real_conversation_makes_the_server_fail(guarded, bob, tmp_path):
    identity = bob.post("/v1/support/conversations").raise_for_status().json()["id"]
    (tmp_path / "schemathesis.toml").write_text(f'[parameters]\n"path.identity" = "{identity}"\n')
    report = sent_by_schemathesis(guarded, tmp_path, "bob", "--include-path-regex", "conversations/{identity}/")
    assert report["operations"]["tested"] == 6
    assert report["server_errors"] == 0
    assert 200 in report["statuses"]
