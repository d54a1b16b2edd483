"""Metrics for Prometheus, and access records: of requests, and of connections without one."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

ACCESS_RECORD = "maskwright.access_record"
"""Key of the record in the ASGI scope of a request."""

_LONGEST_PATH = 200
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_IMAGES = (1, 2, 4, 8, 16)


@dataclass
class AccessRecord:
    """What is known of a request when its response has been sent.

    Args:
        route: Pattern of the path, of which there are few; empty if there is none.
        model: Name of the model that was asked; empty if there is none.
        status: HTTP status; 0 without a response.
        sent: Bytes of the response.
        seconds: Time from the headers to the end.
        reason: Why it was refused, or failed.
    """

    peer: str
    method: str
    path: str
    route: str = ""
    status: int = 0
    sent: int = 0
    seconds: float = 0.0
    reason: str = ""
    model: str = ""

    def line(self) -> str:
        """One line: time, peer, method, path, status, bytes, milliseconds, reason."""
        when = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        # Neither new lines nor the codes of terminals get into a log.
        path = self.path[:_LONGEST_PATH].encode("unicode_escape").decode()
        reason = f" {self.reason.encode('unicode_escape').decode()}" if self.reason else ""
        return (
            f"{when} {self.peer} {self.method} {path} {self.status} {self.sent}B "
            f"{self.seconds * 1000:.1f}ms{reason}"
        )


def write_record(record: AccessRecord) -> None:
    """Write the line of a record to standard error."""
    sys.stderr.write(record.line() + "\n")


class ServerMetrics:
    """Metrics of one server. Labels have few values, whatever is requested."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._requests = Counter(
            "maskwright_requests",
            "Requests answered",
            ("method", "route", "status", "model"),
            registry=registry,
        )
        self._seconds = Histogram(
            "maskwright_request_seconds",
            "Time from the headers of a request to the end of its response",
            ("route", "model"),
            buckets=_SECONDS,
            registry=registry,
        )
        self.batch = Histogram(
            "maskwright_batch_images",
            "Images in a batch of an engine",
            ("model",),
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
        self._requests.labels(method, route, str(record.status), record.model).inc()
        self._seconds.labels(route, record.model).observe(record.seconds)
