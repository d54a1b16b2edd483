"""NIfTI volumes: their headers, slices and labels, and labels written on the grid of another."""

import gzip
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.readers.volumes.grid import (
    Grid,
    Plane,
    plane_grid,
    thinnest_plane,
    voxel_sides,
)
from maskwright.data.readers.volumes.volume import integer_labels
from maskwright.errors import DataError
from maskwright.imageio import atomic_write

SUFFIXES = (".nii.gz", ".nii")

_MOST_PACKED = 1100  # bytes in a byte, of the best case of deflate
_MAX_VOXELS = 2**31
_MM_OF_UNIT = {"mm": 1.0, "meter": 1000.0, "micron": 0.001, "unknown": 1.0}


def is_nifti(path: Path) -> bool:
    """Whether a name is that of a NIfTI file, and not hidden."""
    return path.name.lower().endswith(SUFFIXES) and not path.name.startswith(".")


def nifti_stem(path: Path) -> str:
    """Name of a NIfTI file without `.nii` or `.nii.gz`."""
    suffix = next((s for s in SUFFIXES if path.name.lower().endswith(s)), "")
    return path.name[: len(path.name) - len(suffix)]


@dataclass(frozen=True)
class NiftiFile:
    """A NIfTI file whose header is read.

    Args:
        affine: In mm, whatever the unit of the file.
        shape: Of its array; the fourth axis holds channels.
        oriented: Whether the file states where its axes lead.
        dtype: Type of its pixels, as `Volume` has it.
    """

    path: Path
    image: Any
    affine: np.ndarray
    shape: tuple[int, int, int, int]
    oriented: bool
    dtype: str

    @property
    def plane(self) -> Plane:
        """Plane of the slices, as `thinnest_plane` has it."""
        return thinnest_plane(self.affine.tolist(), self.shape)

    def grid(self, plane: Plane) -> Grid:
        """Grid of its slices in a plane."""
        return plane_grid(self.affine.tolist(), self.shape[:3], plane)

    def slices(self, plane: Plane) -> np.ndarray:
        """Slices `(n, h, w, c)` of its values, scaled as the file states."""
        return self.grid(plane).to_slices(self._values(scaled=True))

    def labels(self, plane: Plane) -> np.ndarray:
        """Labels `(n, h, w)` int32; `DataError` where its values are none."""
        return self.grid(plane).to_slices(
            integer_labels(self._values(scaled=False)[..., 0], self.path)
        )

    def _values(self, scaled: bool) -> np.ndarray:
        proxy = self.image.dataobj
        try:
            plain = (proxy.slope, proxy.inter) == (1, 0)
            if self.image.get_data_dtype().fields:  # colors
                raw = np.asarray(proxy.get_unscaled())
                values = np.stack([raw[name] for name in ("R", "G", "B")], axis=-1)
            elif plain:
                values = np.asarray(proxy.get_unscaled())
            else:
                values = np.asanyarray(proxy, dtype=np.float32 if scaled else np.float64)
        except (OSError, EOFError, ValueError, KeyError, MemoryError, OverflowError) as error:
            raise DataError(
                f"{self.path} is damaged or incomplete ({type(error).__name__}); copy it again or "
                f"remove it."
            ) from None
        except Exception as error:  # of zlib, whose errors share no class with the others
            raise DataError(f"{self.path} cannot be unpacked: {error}.") from None
        return values.reshape(self.shape)


def open_nifti(path: Path, channels: bool = False) -> NiftiFile:
    """Read the header of a NIfTI file.

    `DataError` without nibabel, of a damaged file, and of one with a fourth axis unless `channels`
    states that it holds channels.
    """
    try:
        import nibabel
    except ImportError:
        raise DataError(
            f"Reading {path} requires nibabel, which is not installed; install it with: pip "
            f'install "maskwright[medical]"'
        ) from None
    logging.getLogger("nibabel").setLevel(logging.CRITICAL)
    try:
        image = nibabel.load(path)
        if not isinstance(image, nibabel.Nifti1Pair):
            raise ValueError("no NIfTI header")
        header = image.header
        shape = tuple(int(side) for side in image.shape)
        unit = header.get_xyzt_units()[0]
        oriented = bool(int(header["qform_code"]) or int(header["sform_code"]))
        kind = image.get_data_dtype()
        scaled = (image.dataobj.slope, image.dataobj.inter) != (1, 0)
        affine = np.array(image.affine, float)
    except Exception as error:  # damaged headers raise almost anything
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DataError(f"{path} is no readable NIfTI file ({reason}).") from None
    affine[:3] *= _MM_OF_UNIT.get(unit, 1.0)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    colors = bool(kind.fields)
    if len(shape) > 3 and not (channels and len(shape) == 4 and not colors):
        raise DataError(
            f"{path} has {len(shape)} axes, {' x '.join(map(str, shape))}, as a series in time "
            f"has; expected a volume of three: write each time, or each channel, to its own file."
        )
    if not shape or min(shape) < 1 or not np.isfinite(affine).all():
        raise DataError(f"{path} has the shape {shape} and no finite affine; expected a volume.")
    voxels = math.prod(shape)
    packed = 1 if path.name.lower().endswith(".nii") else _MOST_PACKED
    if voxels > _MAX_VOXELS or voxels * kind.itemsize > packed * path.stat().st_size:
        raise DataError(
            f"{path} has {path.stat().st_size:,} bytes, but declares {voxels:,} voxels; expected "
            f"at most {_MAX_VOXELS:,}, and a file that holds them: copy it again."
        )
    sides = (*shape, *(1,) * (3 - len(shape)))
    full = (sides[0], sides[1], sides[2], 3 if colors else sides[3] if len(sides) > 3 else 1)
    small = kind.name if kind.name in ("uint8", "uint16") and not scaled else "float32"
    return NiftiFile(path, image, affine, full, oriented, "uint8" if colors else small)


def write_nifti(path: Path, slices: np.ndarray, grid: Grid) -> None:
    """Write slices `(n, h, w)` or `(n, h, w, c)` as an array on a grid, whose header states mm.

    Integers are written in 8 or 16 bits. `DataError` of other channels than one, or three in 8
    bits.
    """
    import nibabel

    array = np.ascontiguousarray(grid.to_array(slices))
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if array.ndim == 4 and (array.shape[3] != 3 or array.dtype != np.uint8):
        raise DataError(
            f"{path.name} would have {array.shape[3]} channels of {array.dtype}; NIfTI holds one, "
            f"or three of 8 bits: write nnU-Net raw data, with a file for each channel."
        )
    if array.ndim == 4:
        array = array.view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    elif array.dtype.kind in "iu" and array.dtype != np.uint16:
        array = array.astype(np.uint8 if array.max(initial=0) <= 255 else np.uint16)
    image = nibabel.Nifti1Image(array, np.array(grid.affine))
    image.header.set_xyzt_units("mm")
    image.set_qform(image.affine, code="scanner")
    image.set_sform(image.affine, code="scanner")
    content = image.to_bytes()
    with atomic_write(path) as temporary:
        is_packed = path.name.endswith(".gz")
        temporary.write_bytes(gzip.compress(content, mtime=0) if is_packed else content)


def check_grid(image: NiftiFile, mask: NiftiFile, plane: Plane) -> None:
    """Raise `DataError` where a mask lies on another grid than its image."""
    if mask.shape[3] != 1:
        raise DataError(f"{mask.path} has {mask.shape[3]} channels; expected a mask with one.")
    own, other = image.grid(plane), mask.grid(plane)
    if not own.equals(other):
        apart = own.distance_mm(other)
        corners = f": corners are up to {apart:.3g} mm apart" if math.isfinite(apart) else ""
        raise DataError(
            f"{mask.path} ({_described(mask)}) lies on another grid than its image {image.path} "
            f"({_described(image)}){corners}; resample the mask to the image with nearest neighbor."
        )


def _described(file: NiftiFile) -> str:
    sides = " x ".join(map(str, file.shape[:3]))
    voxel = " x ".join(f"{side:.4g}" for side in voxel_sides(file.affine.tolist()))
    origin = ", ".join(f"{value:.4g}" for value in file.affine[:3, 3])
    return f"{sides} voxels of {voxel} mm, origin {origin} mm"
