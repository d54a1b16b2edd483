"""Images and masks in memory, arrays or `tf.data`, as the files of a data set."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from maskwright.data.readers.description import described_labels, write_description
from maskwright.errors import ConfigError
from maskwright.imageio import atomic_folder, read_image, read_mask, write_image, write_mask
from maskwright.labels import IGNORE_LABEL, Labels

if TYPE_CHECKING:
    import tensorflow as tf

    ArrayData: TypeAlias = tuple[np.ndarray, np.ndarray] | tf.data.Dataset

_KEYS = (("images", "masks"), ("image", "segmentation_mask"), ("image", "mask"))
_BITS = (np.uint8, np.uint16)


def write_arrays(data: "ArrayData", folder: Path) -> Path:
    """Write images and masks into a folder that `open_dataset` takes, which is given back.

    A folder that holds the same is left as it is.

    Args:
        data: `(images, masks)`, `(n, h, w, c)` or `(n, h, w)` and integers `(n, h, w)` or `(n, h,
            w, 1)`, 0 for the background and 255 for pixels that do not count; or a finite
            `tf.data.Dataset` of such pairs, single or in batches, or of dicts of `image` and
            `segmentation_mask`, as TensorFlow Datasets has them, or `images` and `masks`.
        folder: Holds nothing, or what was written of the same data.

    Raises:
        ConfigError: If the data has another form, or the folder holds other images.
    """
    pairs = [_checked_pair(image, mask) for image, mask in _pairs(data)]
    if not pairs:
        raise ConfigError("Expected images with masks in `data`; received none.")
    used = np.unique(np.concatenate([np.unique(mask) for _, mask in pairs]))
    if set(used) == {0, IGNORE_LABEL}:
        raise ConfigError(
            f"The masks hold 0 and {IGNORE_LABEL} alone, and {IGNORE_LABEL} marks pixels that do "
            f"not count: divide them by {IGNORE_LABEL}, so that the foreground is 1."
        )
    highest = int(used[used != IGNORE_LABEL].max(initial=1))
    names = ["foreground"] if highest == 1 else [f"class {n}" for n in range(1, highest + 1)]
    labels = Labels.create(["background", *names])
    if folder.exists() and any(folder.iterdir()):
        _check_same(pairs, folder)
        return folder
    if folder.exists():
        folder.rmdir()
    width = len(str(len(pairs) - 1))
    described = {**described_labels(labels), "ignore": [IGNORE_LABEL]}
    note = "Images and masks that were given to maskwright.train in memory."
    with atomic_folder(folder) as beside:
        for number, (image, mask) in enumerate(pairs):
            name = f"{number:0{width}}"
            write_image(beside / "images" / f"{name}{_suffix(image)}", image)
            write_mask(beside / "masks" / f"{name}.png", mask, labels.colors)
        write_description(beside / "data.yaml", described, [note])
    return folder


def _pairs(data: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Single images with their masks."""
    if isinstance(data, tuple) and len(data) == 2:
        if len(data[0]) != len(data[1]):
            raise ConfigError(
                f"Expected as many masks as images; received {len(data[1])} and {len(data[0])}."
            )
        yield from zip(data[0], data[1], strict=True)
        return
    if not hasattr(data, "as_numpy_iterator") or not hasattr(data, "cardinality"):
        raise ConfigError(
            f"Expected `data` as a path, (images, masks) or a tf.data.Dataset; received a "
            f"{type(data).__name__}."
        )
    if int(data.cardinality()) == -1:
        raise ConfigError("Expected a finite tf.data.Dataset; leave `repeat` out.")
    for element in data.as_numpy_iterator():
        images, masks = _parts(element)
        if np.ndim(masks) == 4 or (np.ndim(masks) == 3 and np.ndim(images) == 4):
            yield from zip(images, masks, strict=True)
        else:
            yield images, masks


def _parts(element: Any) -> tuple[np.ndarray, np.ndarray]:
    """Images and masks in an element of a `tf.data.Dataset`."""
    if isinstance(element, dict):
        for image, mask in _KEYS:
            if image in element and mask in element:
                return element[image], element[mask]
    elif isinstance(element, tuple) and len(element) == 2:
        return element
    kind = f"keys {', '.join(element)}" if isinstance(element, dict) else type(element).__name__
    raise ConfigError(f"Expected elements (image, mask) of the tf.data.Dataset; received {kind}.")


def _checked_pair(image: Any, mask: Any) -> tuple[np.ndarray, np.ndarray]:
    image, mask = np.asarray(image), np.asarray(mask)
    mask = mask[..., 0] if mask.ndim == 3 and mask.shape[-1] == 1 else mask
    if image.ndim not in (2, 3) or mask.ndim != 2 or image.shape[:2] != mask.shape:
        raise ConfigError(
            f"Expected images (h, w, c) with masks (h, w) of class numbers; received shapes "
            f"{image.shape} and {mask.shape}. One-hot masks become numbers by argmax(axis=-1)."
        )
    numbers = mask.astype(np.uint8)
    if not np.array_equal(numbers, mask):
        raise ConfigError(
            f"Expected masks of class numbers from 0 to {IGNORE_LABEL}; received values from "
            f"{mask.min():g} to {mask.max():g}, or fractions."
        )
    if image.dtype not in _BITS:
        if not np.issubdtype(image.dtype, np.floating) or not np.isfinite(image).all():
            raise ConfigError(
                f"Expected images of uint8, uint16 or finite floats; received {image.dtype}."
            )
        image = image.astype(np.float32)
    return image, numbers


def _suffix(image: np.ndarray) -> str:
    """PNG for what it holds without loss, TIFF for the rest."""
    channels = 1 if image.ndim == 2 else image.shape[2]
    return ".png" if image.dtype in _BITS and channels in (1, 3) else ".tif"


def _check_same(pairs: Iterable[tuple[np.ndarray, np.ndarray]], folder: Path) -> None:
    """Raise `ConfigError` unless a folder holds these images and masks."""
    pairs = list(pairs)
    images = sorted((folder / "images").glob("*"))
    masks = sorted((folder / "masks").glob("*"))
    complete = (folder / "data.yaml").is_file() and len(images) == len(masks) == len(pairs)
    if not complete or not all(
        np.array_equal(np.atleast_3d(image), read_image(file))
        and np.array_equal(mask, read_mask(mask_file).values)
        for (image, mask), file, mask_file in zip(pairs, images, masks, strict=True)
    ):
        raise ConfigError(
            f"{folder} holds other files than the images and masks of `data`; delete it, or write "
            f"the run into another folder."
        )
