"""Which axes of arrays are number, height, width and channels, from the shapes of both alone."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from maskwright.errors import DataError

_IMAGE_ORDERS = ("hw", "hwc", "chw", "nhw", "nhwc", "nchw", "hwn", "hwcn", "chwn")
_MASK_ORDERS = ("hw", "nhw", "hwn", "hwc", "chw", "nhwc", "nchw")
_MAX_CHANNELS = 16
_FLAT = 4.0  # sides of an image in this proportion are unlikely


@dataclass(frozen=True)
class Axes:
    """Order of the axes of images and masks, such as `nhwc` and `nhw`."""

    images: str
    masks: str

    def slices(self, array: np.ndarray) -> np.ndarray:
        """Images as `(n, h, w, c)`."""
        return _arranged(array, self.images)

    def planes(self, array: np.ndarray) -> np.ndarray:
        """Masks as `(n, h, w, classes)`, a single one of labels."""
        return _arranged(array, self.masks)

    def labels(self, array: np.ndarray, name: str) -> np.ndarray:
        """Values of masks `(n, h, w)`; `DataError` where planes of classes overlap."""
        values = self.planes(array)
        if values.shape[3] == 1:
            return values[..., 0]
        is_set = np.asarray(values) != 0
        count = is_set.sum(axis=3)
        if (count > 1).any():
            share = float((count > 1).mean())
            raise DataError(
                f"{name} has a plane for each of {values.shape[3]} classes, and {share:.2%} of the "
                f"pixels belong to more than one; write `overlap: multilabel` into data.yaml if "
                f"they may, or `overlap:` with the classes in the order in which they are painted."
            )
        first = 0 if (count == 1).all() else 1  # 0 is what no plane holds
        labels: np.ndarray = np.where(count == 0, 0, is_set.argmax(axis=3) + first)
        return labels


def readings(
    images: tuple[int, ...], masks: tuple[int, ...], stated: str | None = None
) -> list[Axes]:
    """Orders that two shapes can have, of which one is a doubt less; none where they do not fit.

    A number of images comes first, as NumPy and HDF5 data sets have it, unless images would be
    strips then and are not with the number last.
    """
    found: dict[tuple[object, ...], Axes] = {}
    for image, mask in product(_IMAGE_ORDERS, _MASK_ORDERS):
        if len(image) != len(images) or len(mask) != len(masks):
            continue
        if stated not in (None, image) or image.endswith("n") != mask.endswith("n"):
            continue
        sides, mask_sides = (
            dict(zip(image, images, strict=True)),
            dict(zip(mask, masks, strict=True)),
        )
        if any(sides.get(axis, 1) != mask_sides.get(axis, 1) for axis in "nhw"):
            continue
        if sides.get("c", 1) > _MAX_CHANNELS:
            continue
        found.setdefault((_effect(image, sides), _effect(mask, mask_sides)), Axes(image, mask))
    plain = [axes for axes in found.values() if _classes(axes, masks) == 1]
    fitting = plain or list(found.values())
    first = [axes for axes in fitting if not axes.images.endswith("n")]
    last = [axes for axes in fitting if axes.images.endswith("n")]
    return fitting if first and last and _is_doubtful(images, first[0], last[0]) else first or last


def _is_doubtful(shape: tuple[int, ...], first: Axes, last: Axes) -> bool:
    """Whether images are strips with their number first, and are not with it last."""
    sides = (dict(zip(axes.images, shape, strict=True)) for axes in (first, last))
    strip, other = (max(s["h"] / s["w"], s["w"] / s["h"]) for s in sides)
    return strip > other and (other == 1 or (strip > _FLAT and other < _FLAT / 2))


def _classes(axes: Axes, masks: tuple[int, ...]) -> int:
    return dict(zip(axes.masks, masks, strict=True)).get("c", 1)


def _effect(order: str, sides: dict[str, int]) -> tuple[int | None, ...]:
    """Place of each axis that is longer than 1: two orders with the same effect are one."""
    return tuple(order.find(axis) if sides.get(axis, 1) > 1 else None for axis in "nhwc")


def _arranged(array: np.ndarray, order: str) -> np.ndarray:
    present = [axis for axis in "nhwc" if axis in order]
    moved = array.transpose([order.index(axis) for axis in present])
    shape = dict(zip(present, moved.shape, strict=True))
    return moved.reshape([shape.get(axis, 1) for axis in "nhwc"])
