"""Grids of volumes: from the array of a file to slices as radiologists see them, and back."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from maskwright.errors import DataError

Plane = Literal["axial", "coronal", "sagittal"]
"""How a volume is cut into slices."""

DIRECTIONS: dict[Plane, tuple[str, str, str]] = {
    "axial": ("L", "P", "S"),
    "coronal": ("L", "I", "P"),
    "sagittal": ("P", "I", "L"),
}
"""Where columns, rows and slices of each plane lead: left, posterior, superior or inferior."""

_LPS = "RAS", "LPI"  # the axes of the world, by their positive and negative ends
_SAME = 0.01  # share of a voxel by which corners of equal grids may differ


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a file lie, and how its array becomes slices.

    Args:
        affine: Rows of the 4 x 4 matrix from indices of the array to mm, right, anterior, superior.
        shape: Of the array, `(i, j, k)`.
        order: Axis of the array that columns, rows and slices run along, and 1 or -1 for its
            direction.
    """

    affine: tuple[tuple[float, ...], ...]
    shape: tuple[int, int, int]
    order: tuple[tuple[int, int], ...] = ((0, 1), (1, 1), (2, 1))

    @property
    def spacing_mm(self) -> tuple[float, float]:
        """From row to row and from column to column, mm."""
        sides = voxel_sides(self.affine)
        return sides[self.order[1][0]], sides[self.order[0][0]]

    def to_slices(self, array: np.ndarray) -> np.ndarray:
        """Slices `(n, h, w, …)` of an array `(i, j, k, …)`."""
        rest = range(3, array.ndim)
        axes = [axis for axis, _ in reversed(self.order)]
        return array.transpose(*axes, *rest)[self._flips()]

    def to_array(self, slices: np.ndarray) -> np.ndarray:
        """Array `(i, j, k, …)` of slices `(n, h, w, …)`; undoes `to_slices`."""
        rest = range(3, slices.ndim)
        axes = [axis for axis, _ in reversed(self.order)]
        return slices[self._flips()].transpose(*np.argsort(axes), *rest)

    def equals(self, other: "Grid") -> bool:
        """Whether slices of both show the same places, whatever the order of their arrays."""
        return self.distance_mm(other) <= _SAME * min(voxel_sides(self.affine))

    def distance_mm(self, other: "Grid") -> float:
        """Largest distance of a corner from the other's along an axis; infinite of other shapes."""
        shapes = [tuple(grid.shape[axis] for axis, _ in grid.order) for grid in (self, other)]
        if shapes[0] != shapes[1]:
            return math.inf
        corners = np.array(np.meshgrid(*[(0, side - 1) for side in shapes[0]])).reshape(3, -1)
        ends = [grid._places(corners) for grid in (self, other)]
        return float(np.abs(ends[0] - ends[1]).max())

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"affine": self.affine, "shape": self.shape, "order": self.order}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Grid":
        """Undo `to_dict`."""
        affine, order = ([tuple(row) for row in values[key]] for key in ("affine", "order"))
        return cls(tuple(affine), tuple(values["shape"]), tuple(order))

    def _flips(self) -> tuple[slice, ...]:
        return tuple(slice(None, None, sign) for _, sign in reversed(self.order))

    def _places(self, indices: np.ndarray) -> np.ndarray:
        """Where columns, rows and slices `(3, n)` lie, mm."""
        at = np.empty(indices.shape)
        for index, (axis, sign) in zip(indices, self.order, strict=True):
            at[axis] = index if sign > 0 else self.shape[axis] - 1 - index
        affine = np.array(self.affine)
        return affine[:3, :3] @ at + affine[:3, 3:]


def voxel_sides(affine: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Sides of a voxel along the axes of an array, mm."""
    sides = np.linalg.norm(np.array(affine)[:3, :3], axis=0)
    return tuple(float(f"{side:.7g}") for side in sides)  # headers hold float32


def thinnest_plane(affine: Sequence[Sequence[float]], shape: Sequence[int]) -> Plane:
    """Plane of the slices: across the axis of one voxel, of the largest voxels, of the fewest."""
    sides = voxel_sides(affine)
    axis = max(range(3), key=lambda n: (shape[n] == 1, round(sides[n], 2), -shape[n], n))
    world = _world_axes(affine)[axis][0]
    return ("sagittal", "coronal", "axial")[world]


def plane_grid(affine: Sequence[Sequence[float]], shape: Sequence[int], plane: Plane) -> Grid:
    """Grid of an array whose slices lie in a plane."""
    world = _world_axes(affine)
    order = []
    for end in DIRECTIONS[plane]:
        positive = end in _LPS[0]
        target = (_LPS[0] if positive else _LPS[1]).index(end)
        axis = next(n for n, (index, _) in enumerate(world) if index == target)
        order.append((axis, world[axis][1] * (1 if positive else -1)))
    rows = tuple(tuple(float(value) for value in row) for row in affine)
    return Grid(rows, (shape[0], shape[1], shape[2]), tuple(order))


def _world_axes(affine: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """For each axis of an array, the axis of the world closest to it, and its direction."""
    from nibabel.orientations import io_orientation

    try:
        found = io_orientation(np.array(affine, float))
        return [(int(axis), int(sign)) for axis, sign in found]
    except (ValueError, np.linalg.LinAlgError):  # not finite, or without a direction
        raise DataError("its affine gives an axis no direction") from None
