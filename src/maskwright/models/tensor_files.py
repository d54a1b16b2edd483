"""Files of arrays by name, as other programs store the weights of a network."""

import json
from pathlib import Path

import numpy as np

from maskwright.errors import ModelError
from maskwright.imageio import read_arrays
from maskwright.models.torch_files import read_torch

TENSOR_SUFFIXES = (".safetensors", ".npz", ".pth", ".pt")
"""Ends of the names of files that `read_tensors` reads."""
_TYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "BOOL": "?"},
    **{"I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1"},
}
_MOST_HEADER = 2**26


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Arrays by name of a `.safetensors`, an `.npz`, or a `.pth` of PyTorch, of which nothing runs.

    Raises `ModelError` for any other file, or a damaged one.
    """
    suffix = path.suffix.lower()
    if suffix not in TENSOR_SUFFIXES:
        raise ModelError(
            f"Expected weights in a file of {', '.join(TENSOR_SUFFIXES)}; received {path}."
        )
    if suffix == ".npz":
        return read_arrays(path, ModelError, "weights file")
    try:
        return _read_safetensors(path) if suffix == ".safetensors" else read_torch(path)
    except Exception as error:  # pickles and headers that are damaged raise almost anything
        reason = str(error) or type(error).__name__
        raise ModelError(
            f"The weights file {path} cannot be read ({reason}); expected named tensors, such as "
            f"the state_dict of a network: copy it again, or store it as .safetensors."
        ) from None


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Eight bytes of length, a header in JSON, and the numbers; see the format of safetensors."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(_MOST_HEADER, path.stat().st_size):
            raise ValueError("its header is longer than the file")
        header = json.loads(file.read(length))
        numbers = file.read()
    arrays = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in _TYPES:
            raise ValueError(f"{name} holds numbers of the type {entry['dtype']}")
        first, last = entry["data_offsets"]
        if not 0 <= first <= last <= len(numbers):
            raise ValueError(f"{name} reaches beyond the file")
        values = np.frombuffer(numbers[first:last], _TYPES[entry["dtype"]])
        arrays[name] = values.reshape(entry["shape"])
    return arrays
