"""Locust's visitors: `locust -f benchmarks/serving/visitors.py --host http://localhost:7860`."""

import sys
from itertools import count, cycle
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[2]))  # Locust runs this file by its path

from locust import FastHttpUser, between, task

from benchmarks.serving.inputs import REQUESTS

_NUMBERS = count(5000)
# Events by which pages open: the start page's, the monitor's, the shop's.
_OPENINGS = {"show": [], "open": [], "open_page": ["", None]}
# Of sixteen visitors, more than a server remembers: 1,000 pages, 4,096 questions, 5,000 headlines.
_FIRST_PAGES, _FIRST_QUESTIONS, _FIRST_HEADLINES, _AT_ONCE = 70, 270, 350, 50


class Visitor(FastHttpUser):
    """Asks the bot, reads headlines, gets lists, likes films, opens pages."""

    wait_time = between(0.05, 0.3)

    def on_start(self) -> None:
        """Begin a conversation."""
        number = next(_NUMBERS)
        self.requests = {app: requests(number) for app, requests in REQUESTS.items()}
        self.conversation = self.client.post("/v1/support/conversations", json={}).json()["id"]
        events = {each["api_name"]: each["id"] for each in self.client.get("/config").json()["dependencies"]}
        self.pages = cycle((events[name], values) for name, values in _OPENINGS.items())
        self._fill_caches()

    @task(1)
    def look(self) -> None:
        """Open a page as a new visitor, and leave."""
        number, values = next(self.pages)
        session = uuid4().hex
        event = {"fn_index": number, "data": values, "session_hash": session}
        self.client.post("/gradio_api/queue/join", json=event)
        name = "/gradio_api/queue/data"
        with self.client.get(f"{name}?session_hash={session}", name=name, catch_response=True) as shown:
            if '"success":true' not in shown.text:
                shown.failure(shown.text)

    @task(3)
    def ask(self) -> None:
        """Say something, and now and then begin anew."""
        path, body = next(self.requests["customer_service"])
        address = path.replace("{conversation}", self.conversation)
        reply = self.client.post(address, json=body, name=path).json()
        if reply["decision"] and reply["confidence"] < 0.5:
            name = "/v1/support/decisions/{decision}/feedback"
            self.client.put(name.replace("{decision}", reply["decision"]), json={"value": -1}, name=name)
            self.client.delete(f"/v1/support/conversations/{self.conversation}", name="/v1/support/conversations/{id}")
            self.conversation = self.client.post("/v1/support/conversations", json={}).json()["id"]

    @task(2)
    def read(self) -> None:
        """Label a headline."""
        path, body = next(self.requests["finance_monitor"])
        self.client.post(path, json=body)

    @task(2)
    def choose(self) -> None:
        """Get a list, and like a film of it."""
        path, body = next(self.requests["recommender"])
        shown = self.client.post(path, json=body).json()
        event = {"kind": "like", "item": shown["items"][0]["id"], "decision": shown["decision"]}
        self.client.post("/v1/recommender/profile/events", json=event)
        self.client.delete("/v1/recommender/profile/events/last")

    def _fill_caches(self) -> None:
        """Leave the server nothing that it has yet to remember, or filling up would pass for growth."""
        for _ in range(_FIRST_PAGES):
            self.look()
        for _ in range(_FIRST_QUESTIONS):
            message = {"role": "user", "content": next(self.requests["customer_service"])[1]["text"]}
            self.client.post("/v1/chat/completions", json={"model": "steer-support", "messages": [message]})
        for _ in range(_FIRST_HEADLINES // _AT_ONCE):
            path, body = next(self.requests["finance_monitor"])
            more = [next(self.requests["finance_monitor"])[1]["items"][0] for _ in range(_AT_ONCE - 1)]
            self.client.post(path, json={"items": [*body["items"], *more]})
