"""The files that one request walks through, by tracing it: `python -m benchmarks.house.walks OPENING RUNS`.

Counted are the files of `core` and `apps` in which code runs, in any thread, from the app's own routes downwards:
facade, engine, trained policy, and a store in a file, all in this process. The gate and the other middleware that
every request passes alike are left out. An earlier request of the same kind has filled the caches.

`OPENING` is the module that knows a revision's names, so that the same walks are taken through an earlier house.
"""

import asyncio
import importlib
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send
from torch.optim.optimizer import register_optimizer_step_post_hook

from benchmarks.house.tracing import Tracer

WARM_QUESTION = "How do I reset my password?"
QUESTIONS = (
    "How long do I have to return a lamp that I do not like?",
    "Can I pay my order in three instalments?",
    "Which countries do you deliver to?",
    "How do I change the delivery address of my order?",
    "Where do I find the invoice of my last order?",
)
COMPANY = "Ostrava Mills"
BAD_NEWS = (
    "Regulator fines {} over false accounts",
    "{} recalls products after injuries",
    "{} warns of a deep loss this year",
    "Court orders {} to pay damages for fraud",
    "Plant of {} destroyed by fire, output halted",
    "{} misses debt payment as lenders withdraw",
    "Chief executive of {} arrested in bribery case",
    "{} shares collapse after profit warning",
)
WARM_FILM, FILM = "1", "5"
SETTING = "rewards.right_answer=2.0"


class Opening(Protocol):
    """A revision's apps and training.

    Attributes:
        ADMIN: Who asks.
    """

    ADMIN: Any

    def open_api(self, runs: Path, store: Path) -> ASGIApp:
        """The routes of every app, engines in this process."""

    def warm_start(self, runs: Path) -> Any:
        """The support bot's policy that RL begins with."""

    def update(self, runs: Path, policy: Any, overrides: Sequence[str], scratch: Path) -> None:
        """Train a policy of the support bot by RL for an iteration."""


async def chat(client: httpx.AsyncClient, tracer: Tracer) -> set[str]:
    """From a typed question to the article that answers it.

    Raises:
        RuntimeError: The bot has learnt too little to answer any.
    """
    await _ask(client, WARM_QUESTION)
    for question in QUESTIONS:
        with tracer.recording() as files:
            reply = await _ask(client, question)
        if reply["action"] == "answer":
            return files
    raise RuntimeError("the bot answered no question; train it longer")


async def alert(client: httpx.AsyncClient, tracer: Tracer) -> set[str]:
    """From a pushed headline to the stored alert that it opens.

    Raises:
        RuntimeError: The monitor has learnt too little to know bad news.
    """
    for number, headline in enumerate(BAD_NEWS):
        item = {"key": f"walk-{number}", "time": f"2026-03-02T{8 + number:02}:00:00Z"}
        item |= {"company": COMPANY, "headline": headline.format(COMPANY)}
        with tracer.recording() as files:
            taken = await _post(client, "/v1/news/items", {"items": [item]})
        if taken["alerts"]:
            return files
    raise RuntimeError("no headline opened an alert; train the monitor longer")


async def click(client: httpx.AsyncClient, tracer: Tracer) -> set[str]:
    """From a liked film to the next list."""
    await _like(client, WARM_FILM)
    with tracer.recording() as files:
        await _like(client, FILM)
    return files


def reward(opening: Opening, runs: Path, tracer: Tracer) -> set[str]:
    """From a reward setting of the support bot to the first update by RL."""
    policy = opening.warm_start(runs)
    hook = register_optimizer_step_post_hook(_stop)
    with tempfile.TemporaryDirectory() as scratch, suppress(_UpdateDone), tracer.recording() as files:
        opening.update(runs, policy, [SETTING], Path(scratch))
    hook.remove()
    return files


def walks(opening: Opening, runs: Path) -> dict[str, list[str]]:
    """Files of each walk, in the order of their names."""
    tracer = Tracer(Path.cwd())
    with tempfile.TemporaryDirectory() as scratch:
        api = opening.open_api(runs, Path(scratch) / "steer.db")
        files = asyncio.run(_requests(_known_to(api, opening.ADMIN), tracer))
    files["reward"] = reward(opening, runs, tracer)
    return {walk: sorted(found) for walk, found in files.items()}


class _UpdateDone(Exception):  # noqa: N818 - is no error
    """The optimiser has made its first step."""


def _stop(*step: Any) -> None:
    raise _UpdateDone


def _known_to(api: ASGIApp, principal: Any) -> ASGIApp:
    """The routes behind a gate that knows who asks."""

    async def gate(scope: Scope, receive: Receive, send: Send) -> None:
        await api({**scope, "state": {"principal": principal}}, receive, send)

    return gate


async def _requests(api: ASGIApp, tracer: Tracer) -> dict[str, set[str]]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://localhost") as client:
        walks = {"chat": chat, "alert": alert, "list": click}
        return {name: await walk(client, tracer) for name, walk in walks.items()}


async def _ask(client: httpx.AsyncClient, question: str) -> dict[str, Any]:
    conversation = await _post(client, "/v1/support/conversations", {})
    return await _post(client, f"/v1/support/conversations/{conversation['id']}/messages", {"text": question})


async def _like(client: httpx.AsyncClient, film: str) -> None:
    await _post(client, "/v1/recommender/profile/events", {"kind": "like", "item": film})
    await _post(client, "/v1/recommender/lists", {"profile": True})


async def _post(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    return (await client.post(path, json=body)).raise_for_status().json()


if __name__ == "__main__":
    print(json.dumps(walks(importlib.import_module(sys.argv[1]), Path(sys.argv[2]))))
