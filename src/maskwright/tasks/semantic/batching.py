"""Batches of images that have one shape as the model takes them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from maskwright.inference.folder_plan import ReadImage

BATCH_PIXELS = 2**20
"""Predicted at once at native scale: as many as four tiles of 512 px."""

_WAITING_BATCHES = 4  # times the images of a batch, that wait for others of their shape
_WAITING_BYTES = 2**26  # of images that wait for others of their shape


@dataclass(frozen=True, slots=True)
class PreparedPixels:
    """An image for `Predictor.probabilities` where it is `whole`, else for `Predictor.strips`."""

    values: np.ndarray
    whole: bool


def batches(
    images: Iterator[ReadImage], batch_size: int, native: bool
) -> Iterator[list[ReadImage]]:
    """Images of one shape together, as many as the model takes at once; others alone.

    Images wait for others of their shape, but only so many: then the most that are alike go.

    Args:
        native: Whether images have shapes of their own; else the model resizes them to one.
    """
    waiting: dict[tuple[int, ...], list[ReadImage]] = {}
    number = held = 0
    for image in images:
        if not image.prepared.whole:
            yield [image]
            continue
        shape = image.prepared.values.shape
        alike = waiting.setdefault(shape, [])
        alike.append(image)
        number, held = number + 1, held + image.prepared.values.nbytes
        most, full = batch_size, None
        if native:
            most = max(1, min(batch_size, BATCH_PIXELS // (shape[0] * shape[1])))
            if number >= _WAITING_BATCHES * batch_size or held > _WAITING_BYTES:
                full = max(waiting, key=lambda shape: len(waiting[shape]))
        if len(alike) == most:
            full = shape
        if full is not None:
            batch = waiting.pop(full)
            number -= len(batch)
            held -= sum(waited.prepared.values.nbytes for waited in batch)
            yield batch
    yield from waiting.values()
