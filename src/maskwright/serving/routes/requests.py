"""What several routes read from a request: the model, file names; and what OpenAPI says of them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from maskwright.serving.jobs.model_registry import ModelRegistry
from maskwright.tasks.serving import ServedModel, ServedSegmenter

BINARY = {"schema": {"type": "string", "format": "binary"}}
"""Bytes, as OpenAPI describes them."""

_LONGEST_NAME = 100
_REFUSALS = {
    400: "Malformed request",
    401: "The token is missing or wrong",
    403: "Sent by a page of another origin",
    404: "Not found",
    408: "The request did not arrive in time",
    409: "Not done yet, or failed",
    413: "Too many bytes or pixels",
    415: "Unsupported media type or encoding",
    421: "For a server of another name",
    422: "A value that cannot be used",
    500: "Internal server error",
    503: "The queue is full; try again after `Retry-After` seconds",
    504: "Not done within the time limit of a request",
}


def choose_model(models: ModelRegistry, name: str | None) -> ServedModel:
    """Model of a name; without a name, the only one. `HTTPException` if there is none."""
    if name is None:
        if len(models) == 1:
            return models[next(iter(models))]
        known = ", ".join(models) or "none yet"
        raise HTTPException(422, f"Name one of the models of this server: {known}.")
    if name not in models:
        raise HTTPException(404, f"There is no model {name[:100]!r}.")
    return models[name]


def segmenter_of(
    served: ServedModel, threshold: float | None = None, min_area_px: int | None = None
) -> ServedSegmenter:
    """Segmenter of a model, with other values on its card where they are not `None`.

    Raises `ConfigError` if the model predicts no masks, or a value cannot be used.
    """
    changes = {"threshold": threshold, "min_area_px": min_area_px}
    given = {name: value for name, value in changes.items() if value is not None}
    return replace(served.masks, predictor=served.masks.predictor.adjusted(**given))


def safe_name(name: str | None) -> str:
    """Last part of a file name that came from elsewhere, in printable characters."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    printable = "".join(sign for sign in last if sign.isprintable())
    return printable[-_LONGEST_NAME:] or "image"


def file_response(media_type: str) -> dict[str, Any]:
    """Arguments of a route that answers with a file, for OpenAPI."""
    return {"response_class": Response, "responses": {200: {"content": {media_type: BINARY}}}}


async def send_file(
    path: Path,
    media_type: str,
    headers: Mapping[str, str] | None = None,
    missing: str = "There is no such part of this image.",
) -> Response:
    """Response with the content of a file, 404 if there is none."""
    try:
        data = await run_in_threadpool(path.read_bytes)
    except OSError:  # also of numbers that make no name of a file
        raise HTTPException(404, missing) from None
    return Response(data, media_type=media_type, headers=headers)


def refusals(key: str = "detail") -> dict[int | str, dict[str, Any]]:
    """Errors that any route may answer with, for OpenAPI; `key` is that of `problem`."""
    message = {"type": "object", "required": [key], "properties": {key: {"type": "string"}}}
    content = {"application/json": {"schema": message}}
    return {status: {"description": text, "content": content} for status, text in _REFUSALS.items()}
