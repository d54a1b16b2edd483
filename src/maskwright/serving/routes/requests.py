"""What several routes read from a request: the model, file names; and what OpenAPI says of them."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Unpack

from fastapi import Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from maskwright.inference.adjustments import Adjustments
from maskwright.serving.current import CURRENT
from maskwright.serving.jobs.model_registry import ModelRegistry
from maskwright.tasks.serving import ServedModel, ServedSegmenter

BINARY = {"schema": {"type": "string", "format": "binary"}}
"""Bytes, as OpenAPI describes them."""

LayerName = Annotated[
    str, Query(max_length=200, description="Class of the layer, where classes overlap.")
]

_LONGEST_NAME = 100
_REFUSALS = {
    400: "Malformed request",
    401: "The token is missing or wrong",
    403: "Sent by a page of another origin",
    404: "Not found",
    405: "There is no such method at this address",
    408: "The request did not arrive in time",
    409: "Not done yet, or failed",
    413: "Too many bytes or pixels",
    415: "Unsupported media type or encoding",
    421: "For a server of another name",
    422: "A value that cannot be used, or a name that is not known",
    429: "Too many wrong tokens; try again after `Retry-After` seconds",
    500: "Internal server error",
    503: "The queue is full; try again after `Retry-After` seconds",
    504: "Not done within the time limit of a request",
    507: "The disk of the server is full",
}


def choose_model(models: ModelRegistry, name: str | None) -> ServedModel:
    """Model of a name; without a name, the only one. `HTTPException` if there is none."""
    if name is None:
        if len(models) != 1:
            known = ", ".join(models) or "none yet"
            raise HTTPException(422, f"Name one of the models of this server: {known}.")
        name = next(iter(models))
    if name not in models:
        raise HTTPException(404, f"There is no model {name[:100]!r}.")
    current = CURRENT.get()
    if current is not None:
        current.record.model = name
    return models[name]


def segmenter_of(served: ServedModel, **changes: Unpack[Adjustments]) -> ServedSegmenter:
    """Segmenter of a model, with other values on its card where they are not `None`.

    Raises `ConfigError` if the model predicts no masks, or a value cannot be used.
    """
    return replace(served.masks, predictor=served.masks.predictor.adjusted(**changes))


async def check_names(request: Request) -> None:
    """Refuse parameters and parts of a form that a route does not have, or has once."""
    schema = request.app.openapi()
    operation = schema["paths"].get(request.scope["route"].path, {}).get(request.method.lower())
    if operation is None:  # a route for the page alone
        return
    known = {p["name"]: p["schema"] for p in operation.get("parameters", []) if p["in"] == "query"}
    _check_names("parameter", known, request.query_params.multi_items())
    form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data")
    if form is not None:
        name = form["schema"]["$ref"].rpartition("/")[2]
        parts = schema["components"]["schemas"][name]["properties"]
        _check_names("part of the form", parts, (await request.form()).multi_items())


def _check_names(kind: str, known: Mapping[str, Any], given: Iterable[tuple[str, object]]) -> None:
    for name, number in Counter(name for name, _ in given).items():
        if name not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise HTTPException(422, f"There is no {kind} {name[:60]!r} here; {takes}.")
        if number > 1 and '"array"' not in json.dumps(known[name]):
            raise HTTPException(422, f"Expected one {kind} {name!r}, received {number}.")


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
    text = {"type": "string"}
    message = {
        "type": "object",
        "required": [key, "code"],
        "properties": {key: text, "code": {**text, "description": "The kind of error."}},
    }
    content = {"application/json": {"schema": message}}
    return {status: {"description": text, "content": content} for status, text in _REFUSALS.items()}


def warn(response: Response, warnings: Iterable[str]) -> None:
    """Put sentences, each once, into headers `Warning` of a response."""
    for warning in dict.fromkeys(warnings):
        response.headers.append("Warning", f'199 maskwright "{warning}"')
