"""Arrays by name from an `.npz`, which take no more memory than the file has use for."""

import zipfile
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from maskwright.errors import DataError, MaskwrightError

_MOST_PACKED = 1100  # bytes in a byte, of the best case of deflate


def read_arrays(
    path: Path, error: type[MaskwrightError] = DataError, what: str = "file"
) -> dict[str, np.ndarray]:
    """All arrays of an `.npz`, none of Python objects, in the order of their names.

    Raises `error` where the file is missing, damaged, or smaller than its headers say; `what` names
    it in the message.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = sorted(archive.infolist(), key=lambda entry: entry.filename)
            if sum(entry.file_size for entry in entries) > _MOST_PACKED * path.stat().st_size:
                raise ValueError("it declares more than it can hold")
            arrays = {}
            for entry in entries:
                with archive.open(entry) as file:
                    _check_header(file, entry)
                with archive.open(entry) as file:
                    arrays[entry.filename.removesuffix(".npy")] = npy.read_array(file)
            return arrays
    except Exception as damage:  # archives and headers that are damaged raise almost anything
        reason = str(damage) or type(damage).__name__
        raise error(
            f"The {what} {path} cannot be read ({reason}); copy or make it again."
        ) from None


def _check_header(file: IO[bytes], entry: zipfile.ZipInfo) -> None:
    """Raise `ValueError` unless an array is as long as its entry, which bounds its memory."""
    one = npy.read_magic(file) == (1, 0)
    read = npy.read_array_header_1_0 if one else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject or prod(shape) * dtype.itemsize != entry.file_size - file.tell():
        raise ValueError(f"{entry.filename} declares {dtype} of the shape {shape}")
