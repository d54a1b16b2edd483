"""Arrays of NumPy, which take no more memory than the file has use for: by name, or as images."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from maskwright.errors import DataError, MaskwrightError
from maskwright.imageio.files import NamedBytes
from maskwright.imageio.header import Header, OpenImage, check_packing, check_size

ARRAY_MAGIC = (npy.MAGIC_PREFIX, b"PK\3\4")
"""First bytes of `.npy` and `.npz`."""
_MOST_FIRST = 16  # of an array with more columns and rows behind, these are channels
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


def array_headers(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape and type of each array of an `.npz`, none of which is read; `DataError` as above."""
    try:
        with zipfile.ZipFile(path) as archive:
            headers = {}
            for entry in archive.infolist():
                with archive.open(entry) as file:
                    headers[entry.filename.removesuffix(".npy")] = _check_header(file, entry)
            return headers
    except Exception as damage:  # as above
        reason = str(damage) or type(damage).__name__
        raise DataError(f"{path} cannot be read ({reason}); copy or make it again.") from None


def _check_header(file: IO[bytes], entry: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type; `ValueError` unless an array is as long as its entry, which bounds memory."""
    return _declared(file, entry.file_size, entry.filename)


def _declared(file: IO[bytes], size: int, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of the array in a file of so many bytes; `ValueError` where it is longer."""
    shape, dtype = _header(file)
    if dtype.hasobject or prod(shape) * dtype.itemsize != size - file.tell():
        raise ValueError(f"{name} declares {dtype} of the shape {shape}")
    return shape, dtype


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    is_version_1 = npy.read_magic(file) == (1, 0)
    read = npy.read_array_header_1_0 if is_version_1 else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def holds_objects(path: Path) -> bool:
    """Whether a file is an `.npy` of Python objects, which is not read, as no image can be."""
    if path.suffix.lower() != ".npy":
        return False
    try:
        with path.open("rb") as file:
            return bool(_header(file)[1].hasobject)
    except Exception:  # of damaged headers anything; reported where it is read
        return False


def read_planes(path: Path) -> np.ndarray | None:
    """Planes uint8 `(h, w, n)` of an `.npy` of truth values, 0 and 1, or 0 and 255, else `None`.

    `DataError` where the file is damaged.
    """
    try:
        with path.open("rb") as file:
            _declared(file, path.stat().st_size, path.name)
            file.seek(0)
            array = npy.read_array(file)
    except (OSError, ValueError, EOFError) as damage:
        raise DataError(f"{path} cannot be read ({damage}); copy or make it again.") from None
    if array.ndim != 3 or array.dtype.kind not in "biuf":
        return None
    if not np.isin(array, (0, 255 if array.max(initial=0) == 255 else 1)).all():
        return None
    return _channels_last(array).astype(np.uint8)


def _channels_last(array: np.ndarray) -> np.ndarray:
    """An array with its channels first, which are fewer than the columns, as `(h, w, c)`."""
    return np.moveaxis(array, 0, 2) if _has_channels_first(array.shape) else array


def _has_channels_first(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[0] <= _MOST_FIRST < min(shape[1:])


@contextmanager
def open_array_image(path: Path | NamedBytes, start: bytes, max_pixels: int) -> Iterator[OpenImage]:
    """Open an `.npy`, or an `.npz` of one array: `(h, w)`, `(h, w, c)`, or `(c, h, w)`."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        if start.startswith(ARRAY_MAGIC[0]):
            with _image(path, file, size, max_pixels) as image:
                yield image
            return
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if not all(entry.filename.endswith(".npy") for entry in entries):
                raise DataError(f"{path} is an archive of other files than arrays, not an image.")
            if len(entries) != 1:
                names = ", ".join(entry.filename.removesuffix(".npy") for entry in entries[:5])
                raise DataError(
                    f"{path} holds {len(entries)} arrays ({names}); expected one, the pixels."
                )
            with (
                archive.open(entries[0]) as entry,
                _image(path, entry, entries[0].file_size, max_pixels) as image,
            ):
                yield image


@contextmanager
def _image(
    path: Path | NamedBytes, file: IO[bytes], size: int, max_pixels: int
) -> Iterator[OpenImage]:
    """Image of the array in an open file of so many bytes."""
    shape, kind = _declared(file, size, str(path))
    if _has_channels_first(shape):
        shape = (*shape[1:], shape[0])
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[0] <= _MOST_FIRST < shape[2]):
        raise DataError(
            f"{path} holds an array of the shape {shape}; expected (height, width) or (height, "
            f"width, channels)."
        )
    if kind.kind not in "biuf":
        raise DataError(f"{path} contains {kind} pixels; expected integers or floats.")
    height, width, channels = (*shape, 1)[:3]
    check_size(path, height, width, channels, max_pixels)
    check_packing(path, prod(shape))
    dtype = "uint8" if kind.kind == "b" else kind.name
    dtype = dtype if dtype in {"uint8", "uint16"} else "float32"

    def values() -> np.ndarray:
        file.seek(0)
        array = _channels_last(npy.read_array(file))
        return np.ascontiguousarray(array).reshape(height, width, channels)

    header = Header(width, height, channels, dtype, "NumPy", palette=False, orientation=1)
    yield OpenImage(
        header,
        lambda: _without_bits(values()),
        lambda: (_without_bits(_without_layers(values())), None),
    )


def _without_bits(values: np.ndarray) -> np.ndarray:
    """The same, with truth values as 0 and 255."""
    return values * np.uint8(255) if values.dtype == np.bool_ else values


def _without_layers(values: np.ndarray) -> np.ndarray:
    """Label `(h, w, 1)` of each pixel of a mask with a layer for each class, else as it is."""
    layers = values.shape[2]
    is_color = layers == 3 and values.dtype == np.uint8 and values.max(initial=0) > 1
    if layers == 1 or is_color or not (np.count_nonzero(values, axis=2) == 1).all():
        return values
    return values.argmax(axis=2).astype(np.uint8 if layers < 256 else np.uint16)[..., None]
