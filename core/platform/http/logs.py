"""Structured logs: one JSON object a line, without secrets."""

import logging
import re
import sys
from typing import Any, TextIO

import structlog

_SECRET = re.compile(r"(steer_)[\w-]{20,}|(://[^/\s:@]*:)[^@/\s]+(?=@)|((?:Bearer|password=)\s*)\S+", re.IGNORECASE)


def set_up_logs(*, as_json: bool, stream: TextIO | None = None) -> None:
    """Write every log line, those of libraries too.

    Args:
        as_json: Whether the lines are JSON for machines; otherwise they are text for people.
        stream: Stream to write to; standard error by default.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _without_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    last = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    handler.setLevel(logging.INFO)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    # Every request is logged by us; httpx would log what the health checks of libraries ask.
    for chatty in ("uvicorn.access", "httpx", "alembic", "mcp", "faiss", "bm25s"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _without_secrets(logger: Any, method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    del logger, method
    return {key: _masked(value) for key, value in line.items()}


def _masked(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return _SECRET.sub(lambda found: next(group for group in found.groups() if group is not None) + "***", value)
