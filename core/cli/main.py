"""The `steer` command."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from core.cli import models, retrain, users
from core.cli import store as store_commands
from core.cli.backtest import backtest
from core.cli.check import check
from core.cli.doctor import doctor
from core.cli.embed import embed
from core.cli.new import new
from core.cli.options import RunsDir, StoreUrl, console, store_url
from core.cli.work import work
from core.util.errors import SteerError, UnavailableError
from core.util.paths import runs_dir

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Fine-tunes pretrained transformers with reinforcement learning and puts them to work.",
)
app.add_typer(models.app, name="models")
app.add_typer(users.app, name="users")
app.add_typer(store_commands.app, name="store")
app.command(epilog="Example: `steer retrain customer_service --every 24h --promote`")(retrain.retrain)
app.command(epilog="Example: `steer new customer_service my-desk`")(new)
app.command(epilog="Examples: `steer check my-desk`, `steer check messages.csv --text text --label label`")(check)
app.command(epilog="Examples: `steer backtest my-desk`, `steer backtest finance_monitor --split validation`")(backtest)
app.command(epilog="Example: `steer embed texts.jsonl --out vectors.safetensors --workers 4`")(embed)
app.command(epilog="Example: `steer doctor --store postgresql://steer@db/steer --port 8080`")(doctor)
app.command(epilog="Example: `steer work finance_monitor --queue redis://localhost/0/news`")(work)

Name = Annotated[
    str, typer.Argument(help="Name of an app, such as recommender, `all`, a workspace's folder, or a file with a task.")
]
Preset = Annotated[str | None, typer.Option(help="Name of the settings to start from [default: the workspace's].")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="YAML file of settings, merged over the preset.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="Setting, such as rl.iterations=20.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start over; the earlier run is kept beside.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]
Host = Annotated[str, typer.Option(help="Address to listen on; the default is reachable from this machine alone.")]
Auth = Annotated[bool, typer.Option("--auth", help="Require logins and API keys; see `steer users`.")]
Explore = Annotated[
    float,
    typer.Option(min=0, max=1, help="Share of decisions sampled from the policy, for `steer retrain` to learn from."),
]
Json = Annotated[Path | None, typer.Option("--json", help="File to write the figures to.")]


@app.command(epilog="Example: `steer train customer_service --set rl.iterations=20 --set seed=1`")
def train(
    name: Name,
    preset: Preset = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    runs: RunsDir = None,
    fresh: Fresh = False,
) -> None:
    """Train a task: linear baseline, supervised warm start, reinforcement learning.

    What is trained already is kept; an interrupted run goes on where it was.
    """
    from core.cli.workflow import train_tasks

    train_tasks(_names(name), preset, config, overrides or [], runs or runs_dir(), console, fresh=fresh)


@app.command(epilog="Example: `steer tune customer_service --trials 30 --search rl.kl_coef=0.01..0.3`")
def tune(
    name: Name,
    trials: Annotated[int, typer.Option(min=1, help="Number of trials, with those of an interrupted search.")] = 20,
    search: Annotated[
        list[str] | None,
        typer.Option(help="Range of a setting: rl.kl_coef=0.01..0.3 or rl.algorithm=ppo|a2c."),
    ] = None,
    preset: Preset = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    runs: RunsDir = None,
) -> None:
    """Search for settings with Optuna, by the validation reward; hopeless trials are pruned.

    Stopped, it goes on where it was. It leaves `best.yaml` for `steer train NAME --config`, and plots.
    """
    from core.cli.workflow import tune_task

    tune_task(name, trials, search or [], preset, config, overrides or [], runs or runs_dir(), console)


@app.command(epilog="Example: `steer bench parity --json benchmarks/results/parity.json`")
def bench(
    name: Annotated[str, typer.Argument(help="Name of a benchmark, such as parity; lists all by default.")] = "",
    only: Annotated[str | None, typer.Option(help="Part of one that takes hours, such as bot of decisions.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(envvar="STEER_DATA_DIR", help="Folder of public benchmark data.")
    ] = None,
    json: Json = None,
) -> None:
    """Run a benchmark of a source checkout and write its figures."""
    from core.cli.workflow import run_benchmark
    from core.evaluation.figures import write_figures

    started = time.perf_counter()
    results = run_benchmark(name, only, data_dir, console)
    if json is not None:
        write_figures(json, f"{name}-{only}" if only else name, time.perf_counter() - started, results)
        console.print(f"figures written to {json}")


@app.command(epilog="Example: `steer evaluate all --json figures.json`")
def evaluate(name: Name = "all", runs: RunsDir = None, json: Json = None) -> None:
    """Score trained policies beside their baselines on the test split, with 95 % intervals."""
    from core.cli.workflow import evaluate_tasks
    from core.evaluation.figures import write_figures

    started = time.perf_counter()
    results = evaluate_tasks(_names(name), runs or runs_dir(), console)
    if json is not None:
        write_figures(json, "evaluate", time.perf_counter() - started, results)
        console.print(f"figures written to {json}")


@app.command(
    epilog="Examples: `steer serve --port 8080`, `steer serve my-shop/ my-desk/`, `steer serve my_task.py`, "
    "`steer serve --host 0.0.0.0 --auth`"
)
def serve(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Apps, folders of workspaces, files with a task; by default all apps and what was published on a page."
        ),
    ] = None,
    host: Host = "127.0.0.1",
    port: Port = 7860,
    runs: RunsDir = None,
    store: StoreUrl = None,
    auth: Auth = False,
    explore: Explore = 0.0,
    json_logs: Annotated[bool, typer.Option("--json-logs", help="Write log lines as JSON.")] = False,
    api_only: Annotated[bool, typer.Option("--api-only", help="Serve the API without pages.")] = False,
    rate: Annotated[int, typer.Option(min=1, help="Limit of API requests per minute of an address, a person.")] = 6_000,
    trusted_proxies: Annotated[
        str,
        typer.Option(
            envvar="FORWARDED_ALLOW_IPS", help="Addresses of proxies that are believed when they name their clients."
        ),
    ] = "",
    keep_days: Annotated[
        int | None,
        typer.Option(
            min=1,
            envvar="STEER_KEEP_DAYS",
            show_envvar=False,
            help="Days after which what people said and did, and news, are removed; kept for ever by default.",
        ),
    ] = None,
    replicas: Annotated[
        int,
        typer.Option(min=1, help="Number of processes that serve the API behind Ray Serve; needs the extra `ray`."),
    ] = 1,
) -> None:
    """Start the web application: pages, API (`/v1/openapi.json`) and tools of trained apps or tasks."""
    from core.platform.inference.fork_server import start_fork_server

    if replicas == 1:  # else it is the replicas that open engines
        start_fork_server(names or [])  # imports for seconds, beside what follows

    from core.platform.http.addresses import checked_proxies
    from core.platform.http.limits import Limits
    from core.platform.pages.task_app import find_apps
    from core.platform.server.application import Serving
    from core.platform.server.server import serve as start
    from core.platform.server.server import serve_replicas

    pages = not api_only and replicas == 1
    options = Serving(
        accounts=auth,
        explore=explore,
        pages=pages,
        limits=Limits(requests=rate),
        trusted_proxies=checked_proxies(trusted_proxies),
        keep=None if keep_days is None else timedelta(days=keep_days),
        workspaces=not names,
    )
    folder = (runs or runs_dir()).resolve()
    url = store_url(store, folder)
    if replicas > 1:
        sources = [str(Path(name).resolve()) if Path(name).exists() else name for name in names or []]
        serve_replicas(sources, folder, url, options, host, port, replicas, json_logs=json_logs)
    else:
        start(find_apps(names or []), folder, url, options, host, port, console, json_logs=json_logs)


@app.command(epilog="Example: `steer demo --port 8080`")
def demo(host: Host = "127.0.0.1", port: Port = 7860, preset: Preset = None, runs: RunsDir = None) -> None:
    """Train every app if need be, print what RL changed, and start the web application."""
    from core.cli.workflow import evaluate_tasks, train_tasks
    from core.platform.apps.spec import installed_apps
    from core.platform.auth.middleware import check_public
    from core.platform.server.application import Serving
    from core.platform.server.ports import check_port
    from core.platform.server.server import serve as start

    check_port(host, port)  # before minutes of training, not after
    check_public(host, auth=False)
    folder = runs or runs_dir()
    train_tasks(_names("all"), preset, None, [], folder, console)
    evaluate_tasks(_names("all"), folder, console, again=False)
    start(installed_apps(), folder, store_url(None, folder), Serving(workspaces=True), host, port, console)


def main() -> None:
    """Run the command; an error that the user can mend ends with its message and status 2."""
    try:
        app()
    except SteerError as error:
        said = error.reason if isinstance(error, UnavailableError) else str(error)
        message = Text.assemble(("steer:", "bold red"), f" {said}")
        Console(stderr=True).print(message, highlight=False, soft_wrap=True)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        Console(stderr=True).print("stopped; the same command goes on from the last checkpoint")
        raise SystemExit(130) from None


def _names(name: str) -> list[str]:
    from core.training.loader import task_names

    return task_names() if name == "all" else [name]
