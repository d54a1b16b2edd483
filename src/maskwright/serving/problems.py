"""Errors as JSON: a sentence for people, a code for programs."""

import errno
from typing import Any

CODES = {
    400: "malformed",
    401: "unauthorized",
    403: "foreign_origin",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_too_slow",
    409: "not_done",
    413: "too_large",
    415: "unsupported_media_type",
    421: "wrong_host",
    422: "invalid_value",
    429: "too_many_attempts",
    431: "headers_too_large",
    499: "client_gone",
    500: "internal",
    503: "busy",
    504: "too_slow",
    507: "disk_full",
}
"""Code of an error by its status, where the error has none of its own."""

DISK_FULL = "The disk of the server is full; make room on it, then send the request again."


def problem(path: str, message: str, status: int, code: str | None = None) -> dict[str, Any]:
    """An error as JSON; the Open Inference Protocol has its own key for the message."""
    key = "error" if path.startswith("/v2") else "detail"
    return {key: message, "code": code or CODES.get(status, "internal")}


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, says that there is no room on the disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False
