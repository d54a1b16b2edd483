"""Objects of an image: connected components of its classes, or those that a file lists."""

from pathlib import Path

import cv2
import numpy as np

from maskwright.data.readers.mask_fit import AS_STORED, MaskFit
from maskwright.errors import DataError
from maskwright.imageio import Header
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL


def number_components(labels: np.ndarray) -> np.ndarray:
    """Connected components of the classes from 1 on, numbered from 1, int32 `(h, w)`."""
    numbers = np.zeros(labels.shape, np.int32)
    for label in np.unique(labels[(labels > 0) & (labels != IGNORE_LABEL)]):
        _, found = cv2.connectedComponents((labels == label).astype(np.uint8), connectivity=8)
        numbers[found > 0] = found[found > 0] + numbers.max()
    return numbers


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
