"""The Open Inference Protocol, version 2, which clients of KServe and Triton speak.

Source: https://github.com/kserve/open-inference-protocol
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from maskwright import __version__
from maskwright.inference.pixels import pixel_warnings
from maskwright.inference.prediction import Prediction
from maskwright.serving.jobs.job_queue import JobQueue
from maskwright.serving.jobs.model_registry import ModelRegistry
from maskwright.serving.limits import ServerLimits, check_deadline
from maskwright.serving.routes.requests import BINARY, choose_model, refusals, segmenter_of, warn
from maskwright.serving.routes.v2_codec import (
    JSON_LENGTH,
    describe_tensor,
    encode_response,
    parse_body,
    read_images,
    request_schema,
)
from maskwright.tasks.serving import ServedModel

VERSION = "1"
"""Version of every model: there is one of each."""

_BYTES = {"application/octet-stream": BINARY}
_REQUEST = {
    "required": True,
    "content": {"application/json": {"schema": request_schema()}, **_BYTES},
}
_ANSWER = {
    "description": "Outputs as JSON, or as bytes after it",
    "content": {"application/json": {}, **_BYTES},
}
_BATCH_IMAGES = 8  # given to a model at once


def inference_routes(
    models: ModelRegistry, queue: JobQueue, is_stuck: Callable[[], bool]
) -> APIRouter:
    """`/v2` and what is below it."""
    routes = APIRouter(prefix="/v2", tags=["Open Inference Protocol"], responses=refusals("error"))

    @routes.get("")
    async def server() -> dict[str, Any]:
        """Name, version and extensions of the server."""
        extensions = ["binary_tensor_data"]
        return {"name": "maskwright", "version": __version__, "extensions": extensions}

    @routes.get("/health/live")
    async def live() -> Response:
        """Whether the work of the server comes to an end, else 503; open to all."""
        return _health("live", not is_stuck())

    @routes.get("/health/ready")
    async def ready() -> Response:
        """Whether there is a model that answers, else 503; open to all."""
        return _health("ready", len(models) > 0 and not is_stuck())

    async def choose_version(model: str, version: str) -> ServedModel:
        served = choose_model(models, model)
        if version != VERSION:
            raise HTTPException(404, f"There is version {VERSION} of {model} alone.")
        if served.classifier is not None:
            raise HTTPException(
                404, f"The model {model} decides on regions; ask /regions or /cases."
            )
        return served

    async def choose(model: str) -> ServedModel:
        return await choose_version(model, VERSION)

    for path, chosen in (
        ("/models/{model}", Depends(choose)),
        ("/models/{model}/versions/{version}", Depends(choose_version)),
    ):

        @routes.get(path)
        async def metadata(served: ServedModel = chosen) -> dict[str, Any]:
            """Inputs and outputs of a model, and its promises, one a line, as a parameter."""
            segmenter = segmenter_of(served)
            card = segmenter.predictor.card
            datatype = {"uint8": "UINT8", "uint16": "UINT16"}.get(card.dtype, "FP32")
            parameters = {"promises": "\n".join(served.promises)} if served.promises else None
            described = {
                "name": served.name,
                "versions": [VERSION],
                "platform": "maskwright",
                "inputs": [describe_tensor("images", datatype, (-1, -1, -1, card.channels))],
                "outputs": [describe_tensor(*tensor[:3]) for tensor in segmenter.tensors],
            }
            return described if parameters is None else {**described, "parameters": parameters}

        @routes.get(f"{path}/ready")
        async def model_ready(served: ServedModel = chosen) -> dict[str, Any]:
            """Whether a model answers."""
            return {"name": served.name, "ready": True}

        @routes.post(
            f"{path}/infer",
            response_class=Response,
            openapi_extra={"requestBody": _REQUEST},
            responses={200: _ANSWER},
        )
        async def infer(request: Request, served: ServedModel = chosen) -> Response:
            """Labels of images, and other outputs on request."""
            if request.headers.get("content-encoding", "identity") != "identity":
                raise HTTPException(415, "Expected a body that is not compressed.")
            queue.check()
            body = await request.body()
            json_length = request.headers.get(JSON_LENGTH)
            return await queue.run(infer_body, served, body, json_length, queue.limits)

    return routes


def _health(name: str, value: bool) -> Response:
    return JSONResponse({name: value}, 200 if value else 503)


def infer_body(
    served: ServedModel, body: bytes, json_length: str | None, limits: ServerLimits
) -> Response:
    """Response to the body of a request; `json_length` is its header `JSON_LENGTH`, if any."""
    request, rest = parse_body(body, json_length)
    images = read_images(request.inputs[0], rest, limits)
    given = request.parameters
    segmenter = segmenter_of(
        served, threshold=given.get("threshold"), min_area_px=given.get("min_area_px")
    )
    fields = {tensor.name: tensor.field for tensor in segmenter.tensors}
    outputs = request.binary_outputs(list(fields))
    predictions: list[Prediction] = []
    for first in range(0, len(images), _BATCH_IMAGES):
        check_deadline()
        batch = images[first : first + _BATCH_IMAGES]
        predictions += segmenter.predict(segmenter.predictor, batch, "probabilities" in outputs)
    arrays = {name: np.stack([getattr(p, fields[name]) for p in predictions]) for name in outputs}
    answer = {"model_name": served.name, "model_version": VERSION}
    if request.id is not None:
        answer["id"] = request.id
    response = encode_response(answer, outputs, arrays)
    card = segmenter.predictor.card
    warn(response, (warning for image in images for warning in pixel_warnings(image, card)))
    return response
