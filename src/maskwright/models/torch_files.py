"""Tensors of PyTorch's `.pth` files, read without PyTorch, and without running what they name.

Such a file is a pickle, which names functions to call. Here only those are admitted that make a
tensor or an ordered mapping, and each stands for code of ours; all others are refused.
"""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C
"""First value of files before PyTorch 1.6; later ones are ZIP archives."""
_TYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_MOST_PICKLED = 2**26  # bytes of a pickle without the numbers


@dataclass(frozen=True)
class _Storage:
    """Numbers that tensors are views of, by their key in the file."""

    key: str
    dtype: np.dtype


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    start: int
    shape: tuple[int, ...]
    steps: tuple[int, ...]

    def array(self, numbers: np.ndarray) -> np.ndarray:
        """The tensor; `ValueError` where it reaches beyond its storage."""
        reach = sum((n - 1) * step for n, step in zip(self.shape, self.steps, strict=True))
        lowest = min((self.start, *self.shape, *self.steps), default=0)
        if lowest < 0 or (0 not in self.shape and self.start + reach >= len(numbers)):
            raise ValueError("a tensor reaches beyond its numbers")
        strides = [step * numbers.itemsize for step in self.steps]
        view = np.lib.stride_tricks.as_strided(numbers[self.start :], self.shape, strides)
        return view.copy()


def _rebuild_tensor(storage: Any, start: Any, shape: Any, steps: Any, *_: Any) -> _Tensor:
    if not isinstance(storage, _Storage):
        raise ValueError("a tensor without numbers")
    return _Tensor(storage, int(start), tuple(map(int, shape)), tuple(map(int, steps)))


def _rebuild_parameter(tensor: Any, *_: Any) -> Any:
    return tensor


_ADMITTED = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    **{("torch", name): code for name, code in _TYPES.items()},
}


class _TensorUnpickler(pickle.Unpickler):
    """Reads mappings of tensors; whatever else a pickle asks for raises `ValueError`."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise ValueError(f"it asks for {module}.{name}, which is no tensor")
        return _ADMITTED[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        match pid:
            case ("storage", str(code), key, *_) if code in _TYPES.values():
                return _Storage(str(key), np.dtype(code))
        raise ValueError("it refers to something that is no tensor")


def read_torch(path: Path) -> dict[str, np.ndarray]:
    """Tensors by name of a file that `torch.save` wrote of a `state_dict`.

    Raises `ValueError`, or what `pickle` and `zipfile` raise, for any other file.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return _read_archive(archive)
    with path.open("rb") as file:
        return _read_old(file, path.stat().st_size)


def _read_archive(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    entries = {entry.filename: entry for entry in archive.infolist()}
    (place,) = (name for name in entries if name.endswith("data.pkl"))
    folder = place.removesuffix("data.pkl")
    if entries[place].file_size > _MOST_PICKLED:
        raise ValueError("its pickle is too long")
    if f"{folder}byteorder" in entries and archive.read(f"{folder}byteorder") != b"little":
        raise ValueError("its numbers are stored with the highest byte first")
    with archive.open(place) as file:
        tensors = _tensors(_TensorUnpickler(file).load())
    arrays: dict[str, np.ndarray] = {}
    numbers: dict[str, np.ndarray] = {}
    for name, tensor in tensors.items():
        storage = tensor.storage
        if storage.key not in numbers:
            data = archive.read(f"{folder}data/{storage.key}")
            numbers[storage.key] = np.frombuffer(data, storage.dtype)
        arrays[name] = tensor.array(numbers[storage.key])
    return arrays


def _read_old(file: IO[bytes], size: int) -> dict[str, np.ndarray]:
    if _TensorUnpickler(file).load() != _MAGIC:
        raise ValueError("it is no file of PyTorch")
    for _ in ("version", "machine"):
        _TensorUnpickler(file).load()
    tensors = _tensors(_TensorUnpickler(file).load())
    types = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
    numbers: dict[str, np.ndarray] = {}
    for key in _TensorUnpickler(file).load():
        length = int.from_bytes(file.read(8), "little")
        dtype = types.get(key)
        if dtype is None or length * dtype.itemsize > size:
            raise ValueError("its numbers belong to no tensor")
        numbers[key] = np.frombuffer(file.read(length * dtype.itemsize), dtype)
    return {name: tensor.array(numbers[tensor.storage.key]) for name, tensor in tensors.items()}


def _tensors(values: Any) -> dict[str, _Tensor]:
    """Those of a mapping by name, or of `model` or `state_dict` in it, as checkpoints have them."""
    for key in ("model", "state_dict"):
        if isinstance(values, Mapping) and isinstance(values.get(key), Mapping):
            values = values[key]
    if not isinstance(values, Mapping):
        raise ValueError("it holds no tensors by name")
    return {str(name): value for name, value in values.items() if isinstance(value, _Tensor)}
