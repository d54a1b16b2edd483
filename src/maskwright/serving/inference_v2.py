"""The Open Inference Protocol, version 2, which clients of KServe and Triton speak.

Arrays travel as JSON, or as bytes after the JSON: Triton's extension for binary data.

Source: https://github.com/kserve/open-inference-protocol and
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from maskwright import __version__
from maskwright.inference.predictor import Prediction, Predictor
from maskwright.objects.segmenter import ObjectSegmenter
from maskwright.serving.desk import Desk, room_for
from maskwright.serving.guard import refusals
from maskwright.serving.limits import Limits, check_time
from maskwright.serving.models import Models, Served
from maskwright.serving.predict import adjusted

VERSION = "1"
"""Of every model: there is one of each."""

_TYPES = {"UINT8": np.uint8, "UINT16": np.uint16, "FP32": np.float32}
_FIELDS = {"labels": "labels", "probabilities": "probabilities", "objects": "instances"}
_HEAD = "inference-header-content-length"
_MOST_JSON_BYTES = 2**24  # as Python objects they take many times as much
_PIXELS_PER_BYTE = 16  # of JSON, by the memory that it takes while it is read
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
        "datatype": {"type": "string", "enum": list(_TYPES)},
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


@dataclass(frozen=True)
class _Wanted:
    """An output that was asked for, and whether as bytes."""

    name: str
    binary: bool


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
        head = request.headers.get(_HEAD)
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
    outputs = [_described("labels", "INT32", [-1, -1, -1])]
    if isinstance(drawing, Predictor):
        outputs.append(_described("probabilities", "FP32", [-1, -1, -1, classes]))
    else:
        outputs.append(_described("objects", "INT32", [-1, -1, -1]))
    datatype = {"uint8": "UINT8", "uint16": "UINT16"}.get(drawing.card.dtype, "FP32")
    return {
        "name": served.name,
        "versions": [VERSION],
        "platform": "maskwright",
        "inputs": [_described("images", datatype, [-1, -1, -1, drawing.card.channels])],
        "outputs": outputs,
    }


def _described(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape}


def answered(served: Served, body: bytes, head: str | None, limits: Limits) -> Response:
    """Answer to the body of a request; `HTTPException` where it does not follow the protocol.

    Args:
        served: The model.
        body: JSON, and bytes after it.
        head: Length of the JSON, as the header says it; `None` for all of the body.
        limits: Of pixels, of all images together.
    """
    asked, rest = _parsed(body, head)
    images = _images(asked, rest, limits)
    parameters = _object(asked, "parameters")
    drawing = adjusted(served, **{name: parameters.get(name) for name in _ADJUSTABLE})
    known = {output["name"] for output in described(served)["outputs"]}
    wanted = _wanted(asked, parameters, known)
    names = {one.name for one in wanted}
    found = predictions(drawing, images, "probabilities" in names)
    arrays = {name: np.stack([getattr(one, _FIELDS[name]) for one in found]) for name in names}
    answer = {"model_name": served.name, "model_version": VERSION}
    if isinstance(asked.get("id"), str):
        answer["id"] = asked["id"]
    return _written(answer, wanted, arrays)


def predictions(
    drawing: Predictor | ObjectSegmenter, images: np.ndarray, probabilities: bool
) -> list[Prediction]:
    """What a model draws for images `(b, h, w, c)`, several at once where it takes them whole."""
    if isinstance(drawing, ObjectSegmenter):
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


def _parsed(body: bytes, head: str | None) -> tuple[dict[str, Any], memoryview]:
    """JSON of a request, and the bytes after it."""
    length = len(body)
    if head is not None:
        if not head.isascii() or not head.isdecimal() or int(head[:20]) > len(body):
            raise HTTPException(
                400, f"Expected the length of the JSON in `{_HEAD}`, at most {len(body)}."
            )
        length = int(head)
    if length > _MOST_JSON_BYTES:
        raise HTTPException(
            413,
            f"Expected at most {_MOST_JSON_BYTES:,} bytes of JSON; send images as binary data.",
        )
    room_for(length * _PIXELS_PER_BYTE)
    try:
        asked = json.loads(body[:length])
    except (ValueError, RecursionError):
        raise HTTPException(400, "Expected JSON, as the Open Inference Protocol has it.") from None
    if not isinstance(asked, dict):
        raise HTTPException(400, "Expected a JSON object, with `inputs` in it.")
    return asked, memoryview(body)[length:]


def _images(asked: Mapping[str, Any], rest: memoryview, limits: Limits) -> np.ndarray:
    """The images of a request `(b, h, w, c)`."""
    inputs = asked.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise HTTPException(400, "Expected one input, `images`.")
    (given,) = inputs
    if given.get("name") != "images":
        raise HTTPException(400, f"Expected the input `images`, received {_short(given, 'name')}.")
    if str(given.get("datatype")) not in _TYPES:
        raise HTTPException(
            400,
            f"Expected images of {', '.join(_TYPES)}, received {_short(given, 'datatype')}.",
        )
    shape = given.get("shape")
    if (
        not isinstance(shape, list)
        or len(shape) != 4
        or not all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in shape)
    ):
        raise HTTPException(
            400,
            f"Expected the shape of images as batch, height, width and channels, received "
            f"{_short(given, 'shape')}.",
        )
    pixels = math.prod(shape[:3])
    if pixels > limits.pixels or math.prod(shape) > 4 * limits.pixels:
        raise HTTPException(413, f"Expected images of at most {limits.pixels:,} pixels together.")
    room_for(pixels)
    dtype = np.dtype(_TYPES[given["datatype"]])
    size = _object(given, "parameters").get("binary_data_size")
    if size is None:
        return _listed(given.get("data"), dtype, shape)
    if "data" in given:
        raise HTTPException(400, "Expected `images` as data or as bytes, received both.")
    expected = math.prod(shape) * dtype.itemsize
    if size != expected or len(rest) != expected:
        raise HTTPException(
            400,
            f"Expected {expected} bytes after the JSON for `images` of the shape {shape}, received "
            f"{len(rest)}, of which `binary_data_size` names {str(size)[:20]}.",
        )
    return np.frombuffer(rest, dtype.newbyteorder("<")).reshape(shape).astype(dtype, copy=False)


def _listed(data: Any, dtype: np.dtype, shape: list[int]) -> np.ndarray:
    """Array of a shape from numbers in lists, nested or flat."""
    try:
        values = np.asarray(data)
    except (ValueError, OverflowError):
        values = np.array(None)
    if values.dtype.kind not in "iuf" or values.size != math.prod(shape):
        raise HTTPException(
            400, f"Expected {math.prod(shape)} numbers as `data` of `images`, flat or nested alike."
        )
    if dtype.kind == "u":
        most = np.iinfo(dtype).max
        if values.min() < 0 or values.max() > most or (values != np.round(values)).any():
            raise HTTPException(400, f"Expected whole numbers from 0 to {most} in `data`.")
    return values.astype(dtype).reshape(shape)


def _wanted(
    asked: Mapping[str, Any], parameters: Mapping[str, Any], known: set[str]
) -> list[_Wanted]:
    """Outputs that were asked for; the labels where none was."""
    binary = parameters.get("binary_data_output") is True
    outputs = asked.get("outputs")
    if outputs is None:
        return [_Wanted("labels", binary)]
    if not isinstance(outputs, list) or not outputs:
        raise HTTPException(400, "Expected `outputs` to be a list of names.")
    wanted: dict[str, _Wanted] = {}
    for one in outputs:
        if not isinstance(one, dict) or str(one.get("name")) not in known:
            raise HTTPException(400, f"Expected outputs among {', '.join(sorted(known))}.")
        own = _object(one, "parameters").get("binary_data", binary)
        wanted[one["name"]] = _Wanted(one["name"], own is True)
    return list(wanted.values())


def _written(
    answer: dict[str, Any], wanted: list[_Wanted], arrays: Mapping[str, np.ndarray]
) -> Response:
    """Arrays as JSON, or as bytes after it."""
    outputs = []
    parts: list[bytes] = []
    for one in wanted:
        array = arrays[one.name]
        datatype = "FP32" if array.dtype.kind == "f" else "INT32"
        output = _described(one.name, datatype, list(array.shape))
        if one.binary:
            plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            parts.append(plain.tobytes())
            output["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            output["data"] = array.ravel().tolist()
        outputs.append(output)
    head = json.dumps({**answer, "outputs": outputs}).encode()
    if not parts:
        return Response(head, media_type="application/json")
    return Response(
        b"".join([head, *parts]),
        media_type="application/octet-stream",
        headers={_HEAD: str(len(head))},
    )


def _object(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = values.get(name) or {}
    if not isinstance(found, dict):
        raise HTTPException(400, f"Expected `{name}` to be a JSON object.")
    return found


def _short(values: Mapping[str, Any], name: str) -> str:
    return repr(values.get(name))[:80]
