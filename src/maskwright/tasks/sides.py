"""Classes that lie left or right: training then does not mirror its images, unless told to."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from maskwright.config import RunConfig
from maskwright.data import DataSet, Sample
from maskwright.data.geometry import resize_image
from maskwright.data.parallel import in_threads
from maskwright.errors import DataError
from maskwright.planning.stats.symmetry import GRID, class_asymmetry, left_right_pair
from maskwright.tasks.settings import make_augmentation
from maskwright.types import Alert, OnMessage

Config = TypeVar("Config", bound=RunConfig)

_MAX_MASKS = 100


def respect_sides(
    config: Config, names: Sequence[str], on_message: OnMessage, dataset: DataSet | None = None
) -> Config:
    """Settings without horizontal flips, which is reported, where classes differ in left and right.

    That is so by their names or, with a data set, by where they lie in up to 100 training masks.
    A stated `augmentation.flip_horizontal` stays as it is.
    """
    stated = "flip_horizontal" in config.augmentation
    if stated or not make_augmentation(config).flip_horizontal:
        return config
    reason = None
    if pair := left_right_pair(names):
        reason = f"turn the class {pair[0]} into {pair[1]}"
    elif dataset is not None:
        reason = _sided(dataset)
    if reason is None:
        return config
    message = f"Mirroring would {reason}: images are not mirrored in training; "
    on_message(Alert(f"{message}augmentation.flip_horizontal=0.5 mirrors them."))
    changed = {**config.augmentation, "flip_horizontal": 0.0}
    return config.model_copy(update={"augmentation": changed})


def _sided(dataset: DataSet) -> str | None:
    """Clause on a class that always lies in the same half of the images, if there is one."""
    samples = [s for s in dataset.samples if s.split == "train" and s.masks]
    background = dataset.labels.background
    if background is None and dataset.labels.num_classes == 2:
        background = 0
    labels = [label for label in range(dataset.labels.num_classes) if label != background]

    def grids(sample: Sample) -> np.ndarray | None:
        try:
            mask = dataset.read_mask(sample)
        except DataError:
            return None  # reported where the sample is decoded
        planes = np.stack([(mask == label).astype(np.float32) for label in labels], axis=-1)
        return np.moveaxis(resize_image(planes, (GRID, GRID)), -1, 0)

    chosen = samples[:: max(-(-len(samples) // _MAX_MASKS), 1)]
    read = [grid for grid in in_threads(grids, chosen, "Measuring masks") if grid is not None]
    if not read:
        return None
    maps = np.stack(read)
    images = (maps.sum(axis=(2, 3)) > 0).sum(axis=0)
    for place, label in enumerate(labels):
        asymmetry = class_asymmetry(maps[:, [place]], axis=1)[0]
        if asymmetry.is_sided(int(images[place])):
            share = f"{asymmetry.effect:.0%}"
            return f"move the class {dataset.labels.names[label]} by {share} of the width"
    return None
