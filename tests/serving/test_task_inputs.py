"""Inputs that a task cannot read are the sender's mistake, and cost those in the same batch nothing."""

import asyncio

import httpx
import pytest

from core.platform.pages.task_app import find_apps
from core.platform.server.application import Serving, create_app
from core.platform.store.database import open_store
from tests.serving.conftest import TASK

DECIDE = "/v1/bandit/decisions"
IS_JSON = {"Content-Type": "application/json"}
GOOD = {"text": "the striker scored twice"}
BAD = [{"text": "\ud800"}, {"text": 5}, {"text": None}, {"text": ["a"]}, {"text": {}}, {"text": True}, {"other": "a"}]


@pytest.mark.slow
def test_what_a_task_cannot_read_is_refused_alone(small_runs, store_url):
    app = create_app(find_apps([TASK]), small_runs, open_store(store_url), Serving(pages=False))

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost", headers=IS_JSON, timeout=60
        ) as client:
            sent = [inputs for bad in BAD for inputs in (GOOD, bad)] + [{"text": "a\0b"}]
            return await asyncio.gather(*(client.post(DECIDE, content=_json(inputs)) for inputs in sent))

    async def within_its_life() -> list[httpx.Response]:
        async with app.router.lifespan_context(app):
            return await ask()

    *answers, zero_byte = asyncio.run(within_its_life())
    assert [answer.status_code for answer in answers] == [201, 400] * len(BAD)
    assert "cannot read these inputs" in answers[1].json()["detail"]
    assert zero_byte.status_code in (201, 400)


def _json(inputs: dict) -> bytes:
    import json

    return json.dumps({"inputs": inputs}).encode()
