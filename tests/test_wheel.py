"""The wheel: what `pip install .` puts on another machine, where there is no checkout."""

import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]

# Opens all that the apps ship, and prints each file of the wheel that was opened and is no Python.
OPENS_ALL = """
import sys
from pathlib import Path

home, opened = Path(sys.argv[1]), set()

def note(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(str(home)):
        opened.add(arguments[0])

sys.addaudithook(note)

import core
from apps.finance_monitor.alerting.rule import learnt
from core.platform.apps.spec import installed_apps
from core.platform.store.database import open_store
from core.training.loader import load_task, task_names
from core.training.settings import load_settings

assert Path(core.__file__).parent.parent == home, core.__file__
for name in task_names():
    task = load_task(name)
    assert task.data_card
    for each in (task, load_task(str(task.template))):
        assert each.check().tables
        each(load_settings(each.presets[each.preset]))
for spec in installed_apps():
    spec.page()
learnt()
open_store("sqlite:///steer.db").close()
print(*{file for file in opened if not file.endswith((".py", ".pyc"))}, sep="\\n")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel) -> Path:
    """The wheel as an installer lays it out."""
    folder = wheel.parent / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def files_of(folder: Path) -> set[str]:
    found = (file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return {file.relative_to(ROOT).as_posix() for file in found}


def test_the_wheel_holds_every_file_of_the_product_and_no_others(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    about = f"steer-{version('steer')}.dist-info/"
    assert {name for name in names if not name.startswith(about)} == files_of(ROOT / "core") | files_of(ROOT / "apps")
    assert f"{about}licenses/LICENSE" in names


def test_all_that_the_code_opens_is_in_the_wheel(unpacked, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(unpacked)}
    command = [sys.executable, "-c", OPENS_ALL, str(unpacked)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    opened = {Path(line).relative_to(unpacked).as_posix() for line in done.stdout.split("\n") if line}
    assert {
        "apps/customer_service/example/articles.jsonl",
        "apps/finance_monitor/example/news.jsonl",
        "apps/finance_monitor/alerting/learnt.safetensors",
        "apps/finance_monitor/ui.css",
        "apps/finance_monitor/ui.js",
        "apps/recommender/example/README.md",
    } <= opened
    # Nothing is shipped that nobody opens, aside from pages for people, a template for those who write migrations, and
    # what editors complete a steer.yaml by.
    shipped = {file.relative_to(unpacked).as_posix() for file in unpacked.rglob("*") if file.is_file()}
    unread = {
        name for name in shipped - opened if not name.endswith((".py", ".pyc", "README.md", ".mako", ".schema.json"))
    }
    assert {name for name in unread if ".dist-info/" not in name} == set()


def test_the_command_starts_from_the_wheel(unpacked, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(unpacked)}
    command = [sys.executable, "-m", "core", "train", "finance_monitor", "--set", "rl.iterations=0"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "rl.iterations: Input should be greater" in done.stderr  # the task and its settings were read


def test_the_product_needs_no_tool_of_the_tests(unpacked):
    about = Parser().parsestr((unpacked / f"steer-{version('steer')}.dist-info" / "METADATA").read_text())
    required = [Requirement(line) for line in about.get_all("Requires-Dist", [])]
    always = {each.name for each in required if each.marker is None or each.marker.evaluate({"extra": ""})}
    assert {"torch", "gradio", "sqlalchemy"} <= always
    assert always.isdisjoint({"hatchling", "locust", "playwright", "pytest", "ray", "schemathesis", "trl"})
