"""Routes for load balancers, supervisors and Prometheus."""

from collections.abc import Callable

import structlog
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from core.platform.store.database import Store
from core.util.errors import UnavailableError


def health_routes(store: Store, versions: Callable[[], dict[str, str]]) -> APIRouter:
    """`/health`: the process is alive; `/ready`: it can answer; `/metrics`: how it fares.

    Args:
        store: Store that must answer for the server to be ready.
        versions: Function that returns the name of the version that serves, by app.
    """
    routes = APIRouter(include_in_schema=False)

    @routes.get("/health")
    def health() -> dict[str, object]:
        return {"status": "ok", "apps": sorted(versions())}

    @routes.get("/ready")
    def ready() -> JSONResponse:
        try:
            store.ping()
        except UnavailableError as error:
            structlog.get_logger().warning("not ready", reason=str(error))  # it names the store; anybody may ask this
            return JSONResponse({"status": "unavailable", "reason": "the store does not answer"}, 503)
        return JSONResponse({"status": "ready", "versions": versions()})

    @routes.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return routes
