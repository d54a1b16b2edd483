"""Access records: one for every request, and for every connection that came to none."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

ACCESS_RECORD = "maskwright.access_record"
"""Key of the record in the ASGI scope of a request."""

_LONGEST_PATH = 200


@dataclass
class AccessRecord:
    """What is known of a request when its response has been sent.

    Args:
        route: Pattern of the path, of which there are few; empty if there is none.
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


def set_reason(scope: Any, reason: str) -> None:
    """Put the reason of a refusal into the record of a request."""
    record = scope.get(ACCESS_RECORD)
    if record is not None:
        record.reason = reason


def error_reason(error: Exception) -> str:
    """An unexpected error, with the line of code that raised it, as the reason of a record."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = ""
    if trace is not None:
        file = PurePosixPath(trace.tb_frame.f_code.co_filename).name
        place = f" at {file}:{trace.tb_lineno}"
    return f"{type(error).__name__}{place}: {error}"
