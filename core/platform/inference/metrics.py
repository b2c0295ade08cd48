"""The metrics that the server gives to Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

REQUEST_SECONDS = Histogram(
    "steer_request_seconds", "Time to answer a request", ["method", "route", "status"], buckets=_SECONDS
)
REQUESTS_RUNNING = Gauge("steer_requests_running", "Requests that are being answered")
BATCH_SIZE = Histogram(
    "steer_batch_size", "Items that a model saw at once", ["model"], buckets=(1, 2, 4, 8, 16, 32, 64)
)
BATCH_SECONDS = Histogram("steer_batch_seconds", "Time of a model on a batch", ["model"], buckets=_SECONDS)
BATCH_WAIT = Histogram(
    "steer_batch_wait_seconds", "Time that the first item of a batch waited", ["model"], buckets=_SECONDS
)
QUEUE = Gauge("steer_queue_items", "Items that wait for a model", ["model"])
ENGINE_STARTS = Counter(
    "steer_engine_starts_total", "Starts of engine processes; more than versions were deaths", ["app"]
)
DECISIONS = Counter("steer_decisions_total", "Decisions of policies", ["app", "version", "action"])
FEEDBACK = Counter("steer_feedback_total", "Opinions about decisions", ["app", "opinion"])
DRIFT = Gauge("steer_drift_timestamp_seconds", "When a detector last found that a signal changed", ["app", "signal"])
