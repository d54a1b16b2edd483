"""Samples with their objects, decoded once, and the targets that instance heads learn."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.geometry import longer_side_size, resize_image, resize_labels
from maskwright.data.parallel import in_threads
from maskwright.data.pipeline.arrays import Arrays
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.instances import Instances

_MAX_OBJECTS = 65535  # of one image, numbered in 16 bits
_CENTER = 0.35  # of the greatest distance to the border: how far a center reaches


@dataclass(frozen=True, eq=False)
class ObjectArrays:
    """Images with numbered objects by position.

    Args:
        arrays: Images, and the class of each pixel.
        numbers: Object of each pixel, from 1, uint16 `(h, w, layers)`; 0 for none.
        labels: Class of each object by its number less 1, int32 `(n,)`.
    """

    arrays: Arrays
    numbers: tuple[np.ndarray, ...]
    labels: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.arrays)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Image `(h, w, c)`; uint16 `(h, w, 1 + layers)`, classes and then numbers; and labels."""
        image, classes = self.arrays[index]
        maps = np.dstack([classes.astype(np.uint16), self.numbers[index]])
        return image, maps, self.labels[index]

    @property
    def skipped(self) -> Sequence[str]:
        """Why samples were skipped."""
        return self.arrays.skipped

    def largest_px(self) -> int | None:
        """Longer side of the largest objects, but for one in a hundred, px; `None` without any."""
        sides = [
            (objects.boxes[:, 2:] - objects.boxes[:, :2]).max(axis=1)
            for numbers in self.numbers
            for layer in np.moveaxis(numbers, -1, 0)
            if len(objects := Instances.from_ids(layer))
        ]
        return int(np.quantile(np.concatenate(sides), 0.99)) if sides else None

    def fingerprint(self) -> str:
        """SHA-256 of everything a model could learn from, hexadecimal."""
        digest = hashlib.sha256(self.arrays.fingerprint().encode())
        for numbers, labels in zip(self.numbers, self.labels, strict=True):
            digest.update(np.ascontiguousarray(numbers).data)
            digest.update(labels.tobytes())
        return digest.hexdigest()


def load_objects(
    dataset: DataSet,
    samples: Sequence[Sample],
    size: tuple[int, int] | int | None,
    skip_unreadable: bool = False,
) -> ObjectArrays:
    """Decode every sample once, with its objects, into memory.

    `size` is height and width of all images, or their longer side, which keeps their aspect, px.

    As `data.pipeline.load_arrays.load`; `ObjectArrays.arrays.skipped` says why samples are skipped.
    """
    if not samples:
        raise DataError("There is no sample to load; the split is empty.")
    decode = partial(_decode, dataset, size, skip_unreadable)
    results = list(in_threads(decode, samples, "Decoding images"))
    skipped = [result for result in results if isinstance(result, str)]
    good = [result for result in results if not isinstance(result, str)]
    if not good:
        raise DataError(f"None of {len(skipped)} samples can be read; the first: {skipped[0]}")
    readable, images, classes, numbers, labels = zip(*good, strict=True)
    arrays = Arrays.from_numpy(images, classes, [sample.id for sample in readable])
    return ObjectArrays(
        replace(
            arrays,
            weights=np.array([sample.weight for sample in readable], np.float32),
            cases=tuple(sample.together for sample in readable),
            skipped=tuple(skipped),
        ),
        numbers,
        labels,
    )


def _decode(
    dataset: DataSet, size: tuple[int, int] | int | None, skip: bool, sample: Sample
) -> tuple[Sample, np.ndarray, np.ndarray, np.ndarray, np.ndarray] | str:
    """Sample, image, classes, numbers and labels of objects, or why they cannot be had."""
    try:
        image, classes = dataset.read(sample)
        objects = dataset.read_objects(sample)
        objects = objects.take(~objects.crowd)  # whose pixels have the ignore label
        if len(objects) > _MAX_OBJECTS:
            raise DataError(
                f"{sample.image} has {len(objects):,} objects; expected {_MAX_OBJECTS:,} at most."
            )
    except DataError as error:
        if not skip:
            raise
        return str(error)
    if isinstance(size, int):
        size = longer_side_size(image.shape[:2], size)
    size = size or image.shape[:2]
    numbers = resize_labels(objects.layers().astype(np.uint16), size)
    classes = resize_labels(classes, size).astype(np.uint8)
    return sample, resize_image(image, size), classes, numbers, objects.labels


def visible(
    maps: np.ndarray, labels: np.ndarray, min_area_px: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Objects with a visible area of `min_area_px` or more in a window, numbered anew from 1.

    Their numbers, int32 `(h, w, layers)`; boxes, int32 `(n, 4)`: top, left, bottom, right; and
    classes, int32 `(n,)`. `labels` are the classes of all objects by their number less 1.
    """
    numbers = maps[..., 1:]
    area = np.bincount(numbers.ravel(), minlength=len(labels) + 1)[1:]
    visible_ids = np.flatnonzero(area >= max(min_area_px, 1))
    new = np.zeros(len(labels) + 1, np.int32)
    new[visible_ids + 1] = np.arange(1, len(visible_ids) + 1)
    left = new[numbers]
    boxes = np.zeros((len(visible_ids), 4), np.int32)
    boxes[:, :2] = np.iinfo(np.int32).max
    for layer in range(left.shape[2]):
        layer_objects = Instances.from_ids(left[..., layer])
        rows = np.unique(left[..., layer])
        rows = rows[rows > 0] - 1
        boxes[rows, :2] = np.minimum(boxes[rows, :2], layer_objects.boxes[:, :2])
        boxes[rows, 2:] = np.maximum(boxes[rows, 2:], layer_objects.boxes[:, 2:])
    return left, boxes, labels[visible_ids].astype(np.int32)


def distances(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How deep inside its object each pixel lies, and how near its center; float32 `(h, w)`.

    The first is the distance to the border of the object as a share of the greatest in it, 1 at its
    deepest place; 0 outside. Where the image cuts an object off, the cut is no border. The second
    is a bell around the deepest place, whose standard deviation is 0.35 of the greatest distance.
    """
    depth, center = np.zeros(numbers.shape, np.float32), np.zeros(numbers.shape, np.float32)
    objects = Instances.from_ids(numbers)
    height, width = numbers.shape
    for box, mask in zip(objects.boxes.tolist(), objects.masks, strict=True):
        top, left, bottom, right = box
        # A frame outside the object, but none where the image ends.
        frame = [(int(top > 0), int(bottom < height)), (int(left > 0), int(right < width))]
        framed = np.pad(mask, frame).astype(np.uint8)
        if framed.all():
            reach = np.ones(framed.shape, np.float32)
        else:
            reach = cv2.distanceTransform(framed, cv2.DIST_L2, 5)
        inner = reach[frame[0][0] :, frame[1][0] :][: mask.shape[0], : mask.shape[1]]
        most = float(inner.max())
        window = np.s_[top:bottom, left:right]
        depth[window][mask] = inner[mask] / most
        deepest = np.argwhere(inner == most).mean(axis=0)
        rows = np.arange(mask.shape[0]) - deepest[0]
        columns = np.arange(mask.shape[1]) - deepest[1]
        square = rows[:, None] ** 2 + columns**2
        bell = np.exp(-square / (2 * max(_CENTER * most, 0.7) ** 2)).astype(np.float32)
        np.maximum(center[window], bell * mask, out=center[window])
    return depth, center


def depth_target(maps: np.ndarray) -> np.ndarray:
    """Class of each pixel and both `distances` of a window, float32 `(h, w, 3)`.

    `maps` are classes and numbers, `(h, w, 1 + layers)`; objects of the first layers are on top.
    """
    numbers = maps[..., 1]
    for layer in range(2, maps.shape[2]):
        numbers = np.where(numbers > 0, numbers, maps[..., layer])
    return np.dstack([maps[..., 0].astype(np.float32), *distances(numbers)])
