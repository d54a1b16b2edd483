"""Metrics of a server, for Prometheus."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

from maskwright.serving.access_record import AccessRecord

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_IMAGES = (1, 2, 4, 8, 16)


class ServerMetrics:
    """Metrics of one server. Labels have few values, whatever is requested."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
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
            "Time from the headers of a request to the end of its response",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.batch = Histogram(
            "maskwright_batch_images",
            "Images in a batch of an engine",
            buckets=_IMAGES,
            registry=registry,
        )
        self.queue = Gauge(
            "maskwright_queue", "Requests that wait or are worked on", registry=registry
        )

    def count(self, record: AccessRecord) -> None:
        """Count a request."""
        method = record.method if record.method in _METHODS else "other"
        route = record.route or "other"
        self._requests.labels(method, route, str(record.status)).inc()
        self._seconds.labels(route).observe(record.seconds)
