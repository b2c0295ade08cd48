"""A web server of this machine, whose answers stand in a dictionary."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass(frozen=True)
class Answer:
    """What the server says to a request.

    Attributes:
        body: Content.
        status: Status code.
        headers: Headers.
    """

    body: bytes | str = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class WebServer(ThreadingHTTPServer):
    """Answers by path, and 404 to other paths.

    Attributes:
        answers: Answer for each path.
        requests: Headers of each request so far, by their names in small letters, with its `path`.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("0.0.0.0", 0), _Handler)
        self.answers: dict[str, Answer] = {}
        self.requests: list[dict[str, str]] = []

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Address of a path."""
        return f"http://{host}:{self.server_port}{path}"


@contextmanager
def web_server() -> Iterator[WebServer]:
    """A server that runs meanwhile."""
    with WebServer() as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    server: WebServer

    def do_GET(self) -> None:
        self.server.requests.append({name.lower(): value for name, value in self.headers.items()} | {"path": self.path})
        answer = self.server.answers.get(self.path, Answer(status=404))
        etag = answer.headers.get("ETag")
        is_known = etag is not None and self.headers.get("If-None-Match") == etag
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        self.send_response(304 if is_known else answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if not is_known:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not is_known:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """The tests look at `requests` instead."""
