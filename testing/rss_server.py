"""Serves a table of headlines as an RSS feed of today: `python -m testing.rss_server headlines.csv --help`."""

import csv
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated
from xml.sax.saxutils import escape

import typer

_SHOWN = 100


class _Feed(ThreadingHTTPServer):
    def __init__(self, port: int, headlines: list[str], every: timedelta) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.headlines, self.every = headlines, every
        self.start = datetime.now(UTC) - every * _SHOWN  # the first hundred are there at once

    def document(self) -> bytes:
        """The newest headlines so far."""
        came = min(int((datetime.now(UTC) - self.start) / self.every), len(self.headlines))
        items = (
            f"<item><title>{escape(self.headlines[at])}</title><guid>headline-{at}</guid>"
            f"<pubDate>{format_datetime(self.start + at * self.every)}</pubDate></item>"
            for at in range(came - 1, max(came - 1 - _SHOWN, -1), -1)
        )
        return f'<rss version="2.0"><channel><title>Headlines</title>{"".join(items)}</channel></rss>'.encode()


class _Handler(BaseHTTPRequestHandler):
    server: _Feed

    def do_GET(self) -> None:
        body = self.server.document()
        etag = f'"{sha256(body).hexdigest()[:16]}"'
        is_known = self.headers.get("If-None-Match") == etag
        self.send_response(304 if is_known else 200)
        self.send_header("ETag", etag)
        self.send_header("Content-Type", "application/rss+xml; charset=utf-8")
        self.send_header("Content-Length", "0" if is_known else str(len(body)))
        self.end_headers()
        if not is_known:
            self.wfile.write(body)


def main(
    file: Annotated[Path, typer.Argument(help="CSV file without header; headlines stand last, the newest first")],
    port: Annotated[int, typer.Option(help="port on this machine")] = 8900,
    every: Annotated[float, typer.Option(help="seconds between two headlines")] = 10,
) -> None:
    """Serve the headlines of a file, the oldest first, as if they were published now."""
    with file.open(encoding="utf-8", newline="") as stream:
        headlines = [row[-1] for row in csv.reader(stream) if row][::-1]
    with _Feed(port, headlines, timedelta(seconds=every)) as server:
        print(f"http://127.0.0.1:{port}/rss: {len(headlines):,} headlines, one each {every:g} seconds", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    typer.run(main)
