"""Arrays in `.npy`, `.npz` and HDF5 files, listed by name, shape and type, and read one by one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import DataError
from maskwright.imageio import array_headers, read_arrays

HDF5_SUFFIXES = frozenset({".h5", ".hdf5", ".hdf"})
ARRAY_SUFFIXES = HDF5_SUFFIXES | {".npy", ".npz"}

_MOST_PACKED = 1100  # bytes in a byte, of the best case of deflate
_MAX_BYTES = 2**36


@dataclass(frozen=True)
class ArrayRef:
    """An array in a file, not read yet; `key` is its name there, `""` in an `.npy`."""

    file: Path
    key: str
    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]

    def __str__(self) -> str:
        name = f"{self.file.name}:{self.key}" if self.key else self.file.name
        return f"{name} {self.shape} {self.dtype}"


def is_array_file(path: Path) -> bool:
    """Whether a name is that of a file with arrays, and not hidden."""
    return path.suffix.lower() in ARRAY_SUFFIXES and not path.name.startswith(".")


def list_arrays(path: Path) -> list[ArrayRef]:
    """Arrays of numbers or text in a file, none of them empty; `DataError` of a damaged file."""
    suffix = path.suffix.lower()
    list_of = _npy if suffix == ".npy" else _npz if suffix == ".npz" else _hdf5
    return [
        ref
        for ref in list_of(path)
        if ref.dtype.kind in "biufUSO" and ref.shape and min(ref.shape) > 0
    ]


def _npy(path: Path) -> Iterator[ArrayRef]:
    array = _mapped(path)
    yield ArrayRef(path, "", array.shape, array.dtype, partial(_mapped, path))


def _mapped(path: Path) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # damaged headers raise almost anything
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{path} cannot be read as an array of NumPy ({reason}).") from None
    return array


def _npz(path: Path) -> Iterator[ArrayRef]:
    for key, (shape, dtype) in array_headers(path).items():
        yield ArrayRef(path, key, shape, dtype, partial(_member, path, key))


def _member(path: Path, key: str) -> np.ndarray:
    return read_arrays(path)[key]


def _hdf5(path: Path) -> Iterator[ArrayRef]:
    refs: list[ArrayRef] = []

    def add(key: str, item: Any) -> None:
        import h5py

        if isinstance(item, h5py.Dataset) and item.shape is not None:
            refs.append(ArrayRef(path, key, item.shape, item.dtype, partial(_dataset, path, key)))

    _with_hdf5(path, lambda file: file.visititems(add))  # follows no links to other files
    yield from refs


def _dataset(path: Path, key: str) -> np.ndarray:
    def read(file: Any) -> np.ndarray:
        item = file[key]
        if item.external or item.is_virtual:
            raise DataError(f"{path}:{key} lies in other files; copy it into one file.")
        size = prod(item.shape) * item.dtype.itemsize
        if size > min(_MAX_BYTES, _MOST_PACKED * path.stat().st_size):
            raise DataError(f"{path}:{key} declares {size:,} bytes, more than its file can hold.")
        return np.asarray(item.asstr()[()] if item.dtype.kind in "OS" else item[()])

    return _with_hdf5(path, read)


def _with_hdf5(path: Path, work: Callable[[Any], Any]) -> Any:
    """What a function makes of an open HDF5 file; `DataError` of a damaged one."""
    import h5py

    try:
        with h5py.File(path, "r", locking=False) as file:
            return work(file)
    except DataError:
        raise
    except Exception as error:  # of the C library, in many classes
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{path} cannot be read as HDF5 ({reason}); copy it again.") from None
