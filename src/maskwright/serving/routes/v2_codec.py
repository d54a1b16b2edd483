"""Tensors of the Open Inference Protocol: decoded from a request, encoded into a response.

They travel as JSON, or as bytes after the JSON: Triton's extension for binary data.

Source: https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

from maskwright.serving.jobs.fair_pool import need_pixels
from maskwright.serving.limits import ServerLimits

JSON_LENGTH = "inference-header-content-length"
"""Header with the length of the JSON, if bytes come after it."""

_MOST_JSON_BYTES = 2**24  # as Python objects they take many times as much
_MOST_DIGITS = 18  # of a length; Python refuses thousands of them
_PIXELS_PER_BYTE = 16  # of JSON, by the memory that it takes while it is read
_DTYPES = {"UINT8": np.uint8, "UINT16": np.uint16, "FP32": np.float32}

Side = Annotated[int, Field(strict=True, ge=1)]


def _only(*names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Check of parameters, all of which have an effect or are MLServer's notes on contents."""

    def check(given: dict[str, Any]) -> dict[str, Any]:
        unknown = [name for name in given if name not in {*names, "content_type", "headers"}]
        if unknown:
            raise ValueError(f"expected {' or '.join(names)}, received {unknown[0][:100]!r}")
        return given

    return check


RequestParameters = Annotated[
    dict[str, Any], AfterValidator(_only("threshold", "min_area_px", "binary_data_output"))
]
InputParameters = Annotated[dict[str, Any], AfterValidator(_only("binary_data_size"))]
OutputParameters = Annotated[dict[str, Any], AfterValidator(_only("binary_data"))]


class _Part(BaseModel):
    """A part of a request; keys that nothing reads are refused."""

    model_config = ConfigDict(extra="forbid")


class InputTensor(_Part):
    """The images of a request; its sides are batch, height, width and channels."""

    name: Literal["images"]
    datatype: Literal["UINT8", "UINT16", "FP32"]
    shape: Annotated[list[Side], Field(min_length=4, max_length=4)]
    data: list[Any] | None = None
    parameters: InputParameters = {}


class OutputRequest(_Part):
    """An output that is asked for."""

    name: str
    parameters: OutputParameters = {}


class InferenceRequest(_Part):
    """A request of the protocol."""

    id: str | None = None
    parameters: RequestParameters = {}
    inputs: Annotated[list[InputTensor], Field(min_length=1, max_length=1)]
    outputs: Annotated[list[OutputRequest], Field(min_length=1)] | None = None

    def binary_outputs(self, known: Sequence[str]) -> dict[str, bool]:
        """Names of the outputs asked for, by default the first known, and whether as bytes."""
        binary = self.parameters.get("binary_data_output") is True
        if self.outputs is None:
            return {known[0]: binary}
        if not {output.name for output in self.outputs} <= set(known):
            raise HTTPException(400, f"Expected outputs among {', '.join(sorted(known))}.")
        return {
            output.name: output.parameters.get("binary_data", binary) is True
            for output in self.outputs
        }


def request_schema() -> dict[str, Any]:
    """JSON schema of a request, without references, as OpenAPI takes it inline."""
    schema = InferenceRequest.model_json_schema()
    parts = schema.pop("$defs")
    text = json.dumps(schema)
    for name, part in parts.items():
        text = text.replace(json.dumps({"$ref": f"#/$defs/{name}"}), json.dumps(part))
    return json.loads(text)


def parse_body(body: bytes, json_length: str | None) -> tuple[InferenceRequest, memoryview]:
    """Request in the JSON of a body, and the bytes after it."""
    length = len(body)
    if json_length is not None:
        digits = json_length.isascii() and json_length.isdecimal()
        if not digits or len(json_length) > _MOST_DIGITS or int(json_length) > len(body):
            raise HTTPException(
                400, f"Expected the length of the JSON in `{JSON_LENGTH}`, at most {len(body)}."
            )
        length = int(json_length)
    if length > _MOST_JSON_BYTES:
        raise HTTPException(
            413, f"Expected at most {_MOST_JSON_BYTES:,} bytes of JSON; send images as binary data."
        )
    need_pixels(length * _PIXELS_PER_BYTE)
    try:
        request = InferenceRequest.model_validate_json(body[:length])
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(map(str, first["loc"])) or "JSON"
        message = f"`{name}` of the request cannot be used: {first['msg']}."
        raise HTTPException(400, message) from None
    return request, memoryview(body)[length:]


def read_images(tensor: InputTensor, rest: memoryview, limits: ServerLimits) -> np.ndarray:
    """Decode images `(b, h, w, c)` from their tensor and the bytes after the JSON."""
    shape = tensor.shape
    pixels = math.prod(shape[:3])
    if pixels > limits.pixels or math.prod(shape) > 4 * limits.pixels:
        raise HTTPException(413, f"Expected images of at most {limits.pixels:,} pixels together.")
    need_pixels(pixels)
    dtype = np.dtype(_DTYPES[tensor.datatype])
    size = tensor.parameters.get("binary_data_size")
    if size is None:
        return _from_lists(tensor.data, dtype, shape)
    if tensor.data is not None:
        raise HTTPException(400, "Expected `images` as data or as bytes, received both.")
    expected = math.prod(shape) * dtype.itemsize
    if size != expected or len(rest) != expected:
        raise HTTPException(
            400,
            f"Expected {expected} bytes after the JSON for `images` of the shape {shape}, received "
            f"{len(rest)}, of which `binary_data_size` names {str(size)[:20]}.",
        )
    return np.frombuffer(rest, dtype.newbyteorder("<")).reshape(shape).astype(dtype, copy=False)


def _from_lists(data: Any, dtype: np.dtype, shape: list[int]) -> np.ndarray:
    """Array from numbers in lists, nested or flat."""
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


def encode_response(
    answer: Mapping[str, Any], outputs: Mapping[str, bool], arrays: Mapping[str, np.ndarray]
) -> Response:
    """Encode arrays by name as JSON, or as bytes after it where `outputs` asks for bytes."""
    described = []
    parts: list[bytes] = []
    for name, binary in outputs.items():
        array = arrays[name]
        datatype = "FP32" if array.dtype.kind == "f" else "INT32"
        tensor = describe_tensor(name, datatype, array.shape)
        if binary:
            plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            parts.append(plain.tobytes())
            tensor["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            tensor["data"] = array.ravel().tolist()
        described.append(tensor)
    head = json.dumps({**answer, "outputs": described}).encode()
    if not parts:
        return Response(head, media_type="application/json")
    return Response(
        b"".join([head, *parts]),
        media_type="application/octet-stream",
        headers={JSON_LENGTH: str(len(head))},
    )


def describe_tensor(name: str, datatype: str, shape: Sequence[int]) -> dict[str, Any]:
    """Name, type and shape of a tensor, as the protocol has them."""
    return {"name": name, "datatype": datatype, "shape": list(shape)}
