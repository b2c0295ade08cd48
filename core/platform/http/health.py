"""Routes for load balancers, supervisors and Prometheus."""

import asyncio
import time
from collections.abc import Callable, Sequence

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from core.platform import timeouts
from core.platform.store.database import Store
from core.util.batching import Batcher
from core.util.errors import UnavailableError

_PAUSE_SECONDS = 0.2  # anybody may ask whether the store takes a write


def health_routes(
    store: Store, versions: Callable[[], dict[str, str]], out_of_order: Callable[[], Sequence[str]]
) -> APIRouter:
    """`/health`: the process is alive; `/ready`: it can answer; `/metrics`: how it fares.

    Args:
        store: Store that must answer for the server to be ready.
        versions: Function that returns the name of the version that serves, by app.
        out_of_order: Function that returns the names of the apps whose version did not open.
    """
    routes = APIRouter(include_in_schema=False)
    pings: Batcher[None, None] = Batcher(_Pings(store), delay=0.0, name="readiness", final=(UnavailableError,))

    @routes.get("/health")
    def health() -> dict[str, object]:
        return {"status": "ok", "apps": sorted(versions())}

    @routes.get("/ready")
    async def ready() -> JSONResponse:
        try:
            await asyncio.wait_for(pings.answer(None), timeouts.READY_SECONDS)
        except (UnavailableError, TimeoutError):  # the log says more
            return JSONResponse({"status": "unavailable", "reason": "the store takes no writes"}, 503)
        closed = list(out_of_order())
        more = {"out_of_order": closed} if closed else {}
        return JSONResponse({"status": "ready", "versions": versions(), **more})

    @routes.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return routes


class _Pings:
    """Writes once for all who ask at the same time, and a few times a second at most."""

    def __init__(self, store: Store) -> None:
        self._store, self._last = store, 0.0

    def __call__(self, asked: Sequence[None]) -> Sequence[None]:
        time.sleep(max(0.0, self._last + _PAUSE_SECONDS - time.monotonic()))
        self._last = time.monotonic()
        self._store.ping()
        return asked
