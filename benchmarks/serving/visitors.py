"""Locust's visitors: `locust -f benchmarks/serving/visitors.py --host http://localhost:7860`."""

import sys
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # Locust runs this file by its path

from locust import FastHttpUser, between, task

from benchmarks.serving.inputs import REQUESTS

_NUMBERS = count(5000)


class Visitor(FastHttpUser):
    """Asks the bot, reads headlines, gets lists, likes films."""

    wait_time = between(0.05, 0.3)

    def on_start(self) -> None:
        """Begin a conversation."""
        number = next(_NUMBERS)
        self.requests = {app: requests(number) for app, requests in REQUESTS.items()}
        self.conversation = self.client.post("/v1/support/conversations", json={}).json()["id"]

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
