"""Arrays of the Open Inference Protocol: read from a request, written into an answer.

They travel as JSON, or as bytes after the JSON: Triton's extension for binary data.

Source: https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastapi import Response
from starlette.exceptions import HTTPException

from maskwright.serving.jobs.job_queue import room_for
from maskwright.serving.limits import Limits

TYPES = {"UINT8": np.uint8, "UINT16": np.uint16, "FP32": np.float32}
"""What images may be, by the words of the protocol."""
HEAD = "inference-header-content-length"
"""Header with the length of the JSON, where bytes come after it."""

_MOST_JSON_BYTES = 2**24  # as Python objects they take many times as much
_MOST_DIGITS = 18  # of a length; Python refuses thousands of them
_PIXELS_PER_BYTE = 16  # of JSON, by the memory that it takes while it is read


@dataclass(frozen=True)
class Wanted:
    """An output that was asked for, and whether as bytes."""

    name: str
    binary: bool


def parsed(body: bytes, head: str | None) -> tuple[dict[str, Any], memoryview]:
    """JSON of a request, and the bytes after it."""
    length = len(body)
    if head is not None:
        plain = head.isascii() and head.isdecimal() and len(head) <= _MOST_DIGITS
        if not plain or int(head) > len(body):
            raise HTTPException(
                400, f"Expected the length of the JSON in `{HEAD}`, at most {len(body)}."
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


def read_images(asked: Mapping[str, Any], rest: memoryview, limits: Limits) -> np.ndarray:
    """The images of a request `(b, h, w, c)`."""
    inputs = asked.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise HTTPException(400, "Expected one input, `images`.")
    (given,) = inputs
    if given.get("name") != "images":
        raise HTTPException(400, f"Expected the input `images`, received {_short(given, 'name')}.")
    if str(given.get("datatype")) not in TYPES:
        raise HTTPException(
            400,
            f"Expected images of {', '.join(TYPES)}, received {_short(given, 'datatype')}.",
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
    dtype = np.dtype(TYPES[given["datatype"]])
    size = member(given, "parameters").get("binary_data_size")
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


def wanted_outputs(
    asked: Mapping[str, Any], parameters: Mapping[str, Any], known: set[str]
) -> list[Wanted]:
    """Outputs that were asked for; the labels where none was."""
    binary = parameters.get("binary_data_output") is True
    outputs = asked.get("outputs")
    if outputs is None:
        return [Wanted("labels", binary)]
    if not isinstance(outputs, list) or not outputs:
        raise HTTPException(400, "Expected `outputs` to be a list of names.")
    wanted: dict[str, Wanted] = {}
    for one in outputs:
        if not isinstance(one, dict) or str(one.get("name")) not in known:
            raise HTTPException(400, f"Expected outputs among {', '.join(sorted(known))}.")
        own = member(one, "parameters").get("binary_data", binary)
        wanted[one["name"]] = Wanted(one["name"], own is True)
    return list(wanted.values())


def written(
    answer: dict[str, Any], wanted: list[Wanted], arrays: Mapping[str, np.ndarray]
) -> Response:
    """Arrays as JSON, or as bytes after it."""
    outputs = []
    parts: list[bytes] = []
    for one in wanted:
        array = arrays[one.name]
        datatype = "FP32" if array.dtype.kind == "f" else "INT32"
        output = described_array(one.name, datatype, list(array.shape))
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
        headers={HEAD: str(len(head))},
    )


def member(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A JSON object within another; `HTTPException` where it is something else."""
    found = values.get(name) or {}
    if not isinstance(found, dict):
        raise HTTPException(400, f"Expected `{name}` to be a JSON object.")
    return found


def _short(values: Mapping[str, Any], name: str) -> str:
    return repr(values.get(name))[:80]


def described_array(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    """Name, type and shape of an array, as the protocol has them."""
    return {"name": name, "datatype": datatype, "shape": shape}
