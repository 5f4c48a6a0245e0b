"""Counts and times for Prometheus, under the names that TF Serving gives them."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

PREFIX = ":tensorflow:serving:"
PATH = "/monitoring/prometheus/metrics"
_MICROSECONDS = [10 * 1.8**power for power in range(33)]  # TF Serving's buckets
_ROWS = [2**power for power in range(11)]


class ServingMetrics:
    """`known(model)`: the others share one name, so that clients cannot make series without end."""

    def __init__(self, known: Callable[[str], bool]):
        self._known, self._registry = known, CollectorRegistry()

        def made(kind, name, text, *labels, **options):
            return kind(PREFIX + name, text, labels, registry=self._registry, **options)

        self._requests = made(Counter, "request_count", "Requests by status.", "model_name", "status")
        self._latency = made(
            Histogram, "request_latency", "Microseconds.", "model_name", "API", "entrypoint", buckets=_MICROSECONDS
        )
        self._rows = made(Histogram, "batching_session:processed_batch_size", "Rows.", "model_name", buckets=_ROWS)
        self._waited = made(
            Histogram, "batching_session:queuing_latency", "Microseconds.", "model_name", buckets=_MICROSECONDS
        )

    def request(self, model: str, method: str, entrypoint: str, status: str, seconds: float) -> None:
        """`status` is a gRPC code's name; `entrypoint` GRPC or REST."""
        model = model if self._known(model) else ""
        self._requests.labels(model, status).inc()
        self._latency.labels(model, method, entrypoint).observe(seconds * 1e6)

    def run(self, model: str, rows: int, waited: list[float]) -> None:
        """One run of a session: its rows, and how long each of its requests waited, in seconds."""
        self._rows.labels(model).observe(rows)
        for seconds in waited:
            self._waited.labels(model).observe(seconds * 1e6)

    def text(self) -> bytes:
        """In Prometheus's format. Its client adds a suffix to counters that TF Serving does not have."""
        return generate_latest(self._registry).replace(b"request_count_total", b"request_count")
