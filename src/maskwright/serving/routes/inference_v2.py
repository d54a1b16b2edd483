"""The Open Inference Protocol, version 2, which clients of KServe and Triton speak.

Source: https://github.com/kserve/open-inference-protocol
"""

from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from maskwright import __version__
from maskwright.inference.predictor import Prediction, Predictor
from maskwright.serving.jobs.job_queue import Desk
from maskwright.serving.jobs.models import Models, Served
from maskwright.serving.limits import Limits, check_time
from maskwright.serving.routes.predict import adjusted
from maskwright.serving.routes.v2_codec import (
    HEAD,
    TYPES,
    described_array,
    member,
    parsed,
    read_images,
    wanted_outputs,
    written,
)
from maskwright.serving.security import refusals
from maskwright.tasks.instances import InstancePredictor

VERSION = "1"
"""Of every model: there is one of each."""

_FIELDS = {"labels": "labels", "probabilities": "probabilities", "objects": "instances"}
_PARAMETERS = {"type": "object"}
_OUTPUT = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "parameters": _PARAMETERS},
}
_INPUT = {
    "type": "object",
    "required": ["name", "datatype", "shape"],
    "properties": {
        "name": {"type": "string", "enum": ["images"]},
        "datatype": {"type": "string", "enum": list(TYPES)},
        "shape": {
            "type": "array",
            "items": {"type": "integer", "minimum": 1},
            "minItems": 4,
            "maxItems": 4,
        },
        "data": {"type": "array", "items": {}},
        "parameters": _PARAMETERS,
    },
}
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_REQUEST = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["inputs"],
                "properties": {
                    "id": {"type": "string"},
                    "parameters": _PARAMETERS,
                    "inputs": {"type": "array", "minItems": 1, "maxItems": 1, "items": _INPUT},
                    "outputs": {"type": "array", "minItems": 1, "items": _OUTPUT},
                },
            }
        },
        "application/octet-stream": _BYTES,
    },
}
_ANSWER = {
    "description": "Outputs as JSON, or as bytes after it",
    "content": {"application/json": {}, "application/octet-stream": _BYTES},
}
_AT_ONCE = 8  # images given to a model
_ADJUSTABLE = ("threshold", "min_area_px")


def inference_routes(models: Models, desk: Desk, limits: Limits) -> APIRouter:
    """`/v2` and what is below it."""
    routes = APIRouter(prefix="/v2", tags=["Open Inference Protocol"], responses=refusals("error"))

    @routes.get("")
    async def server() -> dict[str, Any]:
        """What serves."""
        extensions = ["binary_tensor_data"]
        return {"name": "maskwright", "version": __version__, "extensions": extensions}

    @routes.get("/health/live")
    async def live() -> dict[str, bool]:
        """Whether the server is there; open to all."""
        return {"live": True}

    @routes.get("/health/ready")
    async def ready() -> dict[str, bool]:
        """Whether it answers; open to all."""
        return {"ready": True}

    @routes.get("/models/{model}")
    async def metadata(model: str) -> dict[str, Any]:
        """What a model takes and gives."""
        return described(_model(models, model))

    @routes.get("/models/{model}/versions/{version}")
    async def version_metadata(model: str, version: str) -> dict[str, Any]:
        """What a model takes and gives."""
        return described(_model(models, model, version))

    @routes.get("/models/{model}/ready")
    async def model_ready(model: str) -> dict[str, Any]:
        """Whether a model answers."""
        return {"name": _model(models, model).name, "ready": True}

    @routes.get("/models/{model}/versions/{version}/ready")
    async def version_ready(model: str, version: str) -> dict[str, Any]:
        """Whether a model answers."""
        return {"name": _model(models, model, version).name, "ready": True}

    async def answer(request: Request, served: Served) -> Response:
        if request.headers.get("content-encoding", "identity") != "identity":
            raise HTTPException(415, "Expected a body that is not compressed.")
        desk.check()
        body = await request.body()
        head = request.headers.get(HEAD)
        return await desk.run(lambda: answered(served, body, head, limits))

    described_so: dict[str, Any] = {
        "response_class": Response,
        "openapi_extra": {"requestBody": _REQUEST},
        "responses": {200: _ANSWER},
    }

    @routes.post("/models/{model}/infer", **described_so)
    async def infer(request: Request, model: str) -> Response:
        """Labels of images, and probabilities where they are asked for."""
        return await answer(request, _model(models, model))

    @routes.post("/models/{model}/versions/{version}/infer", **described_so)
    async def version_infer(request: Request, model: str, version: str) -> Response:
        """Labels of images, and probabilities where they are asked for."""
        return await answer(request, _model(models, model, version))

    return routes


def _model(models: Models, name: str, version: str = VERSION) -> Served:
    if name not in models:
        raise HTTPException(404, f"There is no model {name[:100]!r}.")
    if version != VERSION:
        raise HTTPException(404, f"There is version {VERSION} of {name} alone.")
    served = models[name]
    if served.kind == "regions":
        raise HTTPException(404, f"The model {name} decides on regions; ask /regions or /cases.")
    return served


def described(served: Served) -> dict[str, Any]:
    """Inputs and outputs of a model."""
    drawing = adjusted(served)
    classes = drawing.card.labels.num_classes
    outputs = [described_array("labels", "INT32", [-1, -1, -1])]
    if isinstance(drawing, Predictor):
        outputs.append(described_array("probabilities", "FP32", [-1, -1, -1, classes]))
    else:
        outputs.append(described_array("objects", "INT32", [-1, -1, -1]))
    datatype = {"uint8": "UINT8", "uint16": "UINT16"}.get(drawing.card.dtype, "FP32")
    return {
        "name": served.name,
        "versions": [VERSION],
        "platform": "maskwright",
        "inputs": [described_array("images", datatype, [-1, -1, -1, drawing.card.channels])],
        "outputs": outputs,
    }


def answered(served: Served, body: bytes, head: str | None, limits: Limits) -> Response:
    """Answer to the body of a request; `HTTPException` where it does not follow the protocol.

    Args:
        served: The model.
        body: JSON, and bytes after it.
        head: Length of the JSON, as the header says it; `None` for all of the body.
        limits: Of pixels, of all images together.
    """
    asked, rest = parsed(body, head)
    images = read_images(asked, rest, limits)
    parameters = member(asked, "parameters")
    drawing = adjusted(served, **{name: parameters.get(name) for name in _ADJUSTABLE})
    known = {output["name"] for output in described(served)["outputs"]}
    wanted = wanted_outputs(asked, parameters, known)
    names = {one.name for one in wanted}
    found = predictions(drawing, images, "probabilities" in names)
    arrays = {name: np.stack([getattr(one, _FIELDS[name]) for one in found]) for name in names}
    answer = {"model_name": served.name, "model_version": VERSION}
    if isinstance(asked.get("id"), str):
        answer["id"] = asked["id"]
    return written(answer, wanted, arrays)


def predictions(
    drawing: Predictor | InstancePredictor, images: np.ndarray, probabilities: bool
) -> list[Prediction]:
    """What a model draws for images `(b, h, w, c)`, several at once where it takes them whole."""
    if isinstance(drawing, InstancePredictor):
        return [drawing(image) for image in images]
    size = (images.shape[1], images.shape[2])
    found = []
    for first in range(0, len(images), _AT_ONCE):
        check_time()
        whole = [drawing.whole(image) for image in images[first : first + _AT_ONCE]]
        pieces = [image for image in whole if image is not None]
        if len(pieces) == len(whole):
            values = drawing.probabilities(np.stack(pieces))
            found += [drawing.decide(drawing.spread(v, size), size, probabilities) for v in values]
        else:
            some = images[first : first + _AT_ONCE]
            found += [drawing(image, probabilities=probabilities) for image in some]
    return found
