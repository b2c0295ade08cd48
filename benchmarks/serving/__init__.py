"""The server under load, beside the bare model; memory over time; kills; attacks."""

import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.runs import trained
from benchmarks.serving.attacks import attacks
from benchmarks.serving.bare import bare_rates
from benchmarks.serving.kills import kills
from benchmarks.serving.load import CLIENTS, under_load
from benchmarks.serving.running import Server
from benchmarks.serving.soak import memory_slope
from core.evaluation.bootstrap import Estimate
from core.evaluation.figures import figure

SHARE_OF_BARE, KILLS = 0.7, 50


def run(data_dir: Path | None, console: Console) -> dict[str, dict[str, Any]]:
    """All figures; no data are needed."""
    del data_dir
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        runs = trained(Path(scratch) / "runs", console)
        with Server(runs) as server:
            results |= _speed(server, console)
            slope = memory_slope(server)  # the load of before has filled every cache
        results["memory_slope_mb_per_hour"] = figure(slope, better="lower", target=0.0, within_interval=True)
        console.print(f"memory grows by {slope} MB an hour")
        done = kills(runs, KILLS, console)
    results["kills"] = _exact(done.kills, target=KILLS)
    results["lost_writes"] = _exact(done.lost, better="lower", target=0) | {"note": f"of {done.acknowledged}"}
    results["duplicate_writes"] = _exact(done.duplicate, better="lower", target=0)
    tried = attacks()
    results["attacks_total"] = _exact(tried.total)
    results["attacks_passed"] = _exact(tried.passed, target=tried.total)
    results["schemathesis_5xx"] = _exact(tried.server_errors, better="lower", target=0)
    return results


def _speed(server: Server, console: Console) -> dict[str, dict[str, Any]]:
    """Requests a second and latencies, each app's bare model before and after the server's turn."""
    results: dict[str, dict[str, Any]] = {}
    before = bare_rates(server.runs)
    measured = {app: {clients: under_load(server.address, app, clients) for clients in CLIENTS} for app in before}
    after = bare_rates(server.runs)
    for app, by_clients in measured.items():
        bare = (before[app] + after[app]) / 2
        busiest = by_clients[max(CLIENTS)]
        share = Estimate(*(rate / bare for rate in (busiest.rate.value, busiest.rate.low, busiest.rate.high)))
        note = f"{busiest.rate.value:.0f} requests a second; the bare model {before[app]:.0f} and {after[app]:.0f}"
        results[f"throughput_ratio.{app}"] = figure(share, target=SHARE_OF_BARE) | {"note": note}
        for clients, load in by_clients.items():
            latencies = {"p50": load.p50, "p95": load.p95, "p99": load.p99}
            for name, milliseconds in latencies.items():
                results[f"{name}_ms.{app}.{clients}"] = _exact(milliseconds, better="lower")
            results[f"requests_a_second.{app}.{clients}"] = figure(load.rate)
            console.print(f"{app}, {clients} clients: {load}")
    return results


def _exact(value: float, *, better: str = "higher", target: float | None = None) -> dict[str, Any]:
    return figure(Estimate(value, value, value), better=better, target=target)
