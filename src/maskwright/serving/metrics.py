"""What Prometheus asks a server for."""

from collections.abc import Callable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from maskwright.serving.security import AccessRecord

CONTENT_TYPE = CONTENT_TYPE_LATEST

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_IMAGES = (1, 2, 4, 8, 16)


class Measured:
    """Counts of one server. Labels have few values, whatever is asked for."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._requests = Counter(
            "maskwright_requests",
            "Requests answered",
            ("method", "route", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "maskwright_request_seconds",
            "From the headers of a request to the end of its answer",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._batch = Histogram(
            "maskwright_batch_images",
            "Images that an engine was given at once",
            buckets=_IMAGES,
            registry=registry,
        )
        self._waiting = Gauge(
            "maskwright_queue", "Requests that wait or are worked on", registry=registry
        )

    def watch(self, taken: Callable[[], int]) -> None:
        """Where to look for the number of requests that wait or are worked on."""
        self._waiting.set_function(taken)

    def count_batch(self, images: int) -> None:
        """Count images that an engine was given at once."""
        self._batch.observe(images)

    def count(self, told: AccessRecord) -> None:
        """Count a request."""
        method = told.method if told.method in _METHODS else "other"
        route = told.route or "other"
        self._requests.labels(method, route, str(told.status)).inc()
        self._seconds.labels(route).observe(told.seconds)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)
