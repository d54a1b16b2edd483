"""Objects of an image: components of its classes, or those that a file lists or numbers."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from maskwright.data.readers.mask_fit import AS_STORED, MaskFit, sizes_differ
from maskwright.data.samples import Sample, counted
from maskwright.errors import DataError
from maskwright.imageio import Header, RawMask
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL


def number_components(labels: np.ndarray) -> np.ndarray:
    """Connected components of the classes from 1 on, numbered from 1, int32 `(h, w)`."""
    numbers = np.zeros(labels.shape, np.int32)
    for label in np.unique(labels[(labels > 0) & (labels != IGNORE_LABEL)]):
        _, found = cv2.connectedComponents((labels == label).astype(np.uint8), connectivity=8)
        numbers[found > 0] = found[found > 0] + numbers.max()
    return numbers


def no_objects(root: Path, samples: Sequence[Sample]) -> str:
    """Sentences on a data set whose masks store classes alone, where objects are expected."""
    missing = [sample for sample in samples if sample.instances is None]
    if 0 < len(missing) < len(samples):
        return (
            f"{counted(len(missing), 'image')} of {len(samples):,} in {root} have no file of "
            f"numbers in instances/, such as {missing[0].image}; expected one for each, all 0 "
            f"where there is no object."
        )
    return (
        f"The masks in {root} store classes, not objects; expected one mask file for each object, "
        f"a number for each, or files of such numbers in a folder instances. Where every mask file "
        f"holds one object or numbers them, write `objects: instances` into data.yaml; where "
        f"objects never touch, `objects: components` makes each connected component one."
    )


def read_numbered(raw: RawMask, path: Path, image: Path, size: tuple[int, int]) -> np.ndarray:
    """Number of the object at each pixel as a file has it, int32 `(h, w)`."""
    if raw.values.ndim != 2:
        raise DataError(
            f"{path} holds colors; expected the number of an object in every pixel, 0 where there "
            f"is none."
        )
    if raw.values.shape != size:
        raise DataError(sizes_differ(image, size, path, raw.values.shape))
    return raw.values.astype(np.int32)


def with_classes(
    numbers: np.ndarray, classes: np.ndarray, background: int | None, sample: Sample
) -> Instances:
    """Objects by their numbers, with the class of most of their pixels but for the background.

    An object that is mostly void, with the ignore label, is left out. `DataError` of one that lies
    on the background alone.
    """
    source = sample.instances or sample.image
    if classes.shape != numbers.shape:
        raise DataError(sizes_differ(source, numbers.shape, sample.masks[0], classes.shape))
    objects, labels = Instances.from_ids(numbers), []
    for box, mask in zip(objects.boxes.tolist(), objects.masks, strict=True):
        top, left, bottom, right = box
        counts = np.bincount(classes[top:bottom, left:right][mask], minlength=IGNORE_LABEL + 1)
        if background is not None and 2 * counts[IGNORE_LABEL] <= counts.sum():
            counts[background] = 0
        if not counts.any():
            raise DataError(
                f"{source} has an object at row {top}, column {left}, where the mask of its image "
                f"shows background alone; expected the pixels of a class."
            )
        labels.append(int(counts.argmax()))
    classed = replace(objects, labels=np.array(labels, np.int32))
    return classed.take(classed.labels != IGNORE_LABEL)


def read_listed(path: Path, fit: MaskFit, image: Header) -> Instances:
    """Objects that a file lists with their run lengths, as they lie on the image."""
    try:
        listed = Instances.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, DataError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    if fit == AS_STORED:
        return listed
    masks = [fit.lay(listed.mask(i).astype(np.uint8), image, 1) for i in range(len(listed))]
    size = (image.height, image.width)
    return Instances.from_masks(masks, size, listed.labels, crowd=listed.crowd)
