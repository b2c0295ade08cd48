"""Errors of the API as problem details (RFC 9457)."""

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from core.util.errors import ConflictError, NotFoundError, SteerError, UnavailableError

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "1"

_STATUS: dict[type[SteerError], int] = {NotFoundError: 404, ConflictError: 409, UnavailableError: 503}


class Problem(BaseModel):
    """Why a request failed (RFC 9457, section 3)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    request_id: str | None = Field(default=None, description="Id of the request, to find it in the server's log.")
    errors: list[dict[str, str]] | None = Field(default=None, description="Fields that are wrong, and how.")
    error: dict[str, str | None] | None = Field(default=None, description="The same for OpenAI's clients.")


# What every route may answer besides its success, for the OpenAPI document.
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {}}}
    for status in (400, 401, 403, 404, 409, 413, 422, 429, 503, 504)
}


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **more: object) -> JSONResponse:
    """A response that says what went wrong."""
    body = Problem.model_validate({"title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more})
    return JSONResponse(body.model_dump(exclude_none=True), status, headers, MEDIA_TYPE)


def answer_with_problems(app: FastAPI) -> None:
    """Give every error of the application this form."""

    @app.exception_handler(SteerError)
    def on_steer_error(request: Request, error: SteerError) -> JSONResponse:
        status = next((code for error_class, code in _STATUS.items() if isinstance(error, error_class)), 400)
        if isinstance(error, UnavailableError):
            request.state.reason = error.reason
            detail = error.reason if _is_admin(request) else str(error)
            return problem(status, detail, {"Retry-After": RETRY_AFTER}, **_context(request, detail))
        return problem(status, str(error), None, **_context(request, str(error)))

    @app.exception_handler(HTTPException)
    def on_http_exception(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        return problem(error.status_code, str(error.detail), headers, **_context(request, str(error.detail)))

    @app.exception_handler(RequestValidationError)
    def on_invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
        fields = [{"field": ".".join(map(str, e["loc"])), "message": e["msg"]} for e in error.errors()[:20]]
        detail = "; ".join(f"{field['field']}: {field['message']}" for field in fields[:3])
        return problem(422, detail, None, errors=fields, **_context(request, detail))

    @app.exception_handler(Exception)
    def on_unexpected_error(request: Request, error: Exception) -> JSONResponse:
        structlog.get_logger().error("request failed", path=request.url.path, exc_info=error)
        detail = "The server's log says more under the request's id."
        return problem(500, detail, None, **_context(request, detail))


def _is_admin(request: Request) -> bool:
    return getattr(getattr(request.state, "principal", None), "role", None) == "admin"


def _context(request: Request, detail: str) -> dict[str, object]:
    """The request's id; and for clients of OpenAI's protocol, the error where they look for it."""
    context: dict[str, object] = {"request_id": getattr(request.state, "request_id", None)}
    if request.url.path in ("/v1/chat/completions", "/v1/models"):
        context["error"] = {"message": detail, "type": "invalid_request_error", "param": None, "code": None}
    return context
