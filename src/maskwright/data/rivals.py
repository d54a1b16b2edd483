"""Masks of the same images in two formats: whether they show the same."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.readers.base import Rival
from maskwright.data.readers.folders.marks import glob_of
from maskwright.data.readers.resolve import list_rival
from maskwright.data.samples import Doubt, Sample, counted, yaml_line
from maskwright.errors import DataError
from maskwright.imageio import read_mask
from maskwright.labels import IGNORE_LABEL

_COMPARED = 16  # images
_SAME = 0.9  # IoU of the foreground of polygons and of the masks that are drawn of them


def doubt_rivals(dataset: DataSet, rivals: Sequence[Rival]) -> Iterator[Doubt]:
    """Doubts where a format that was not taken has other masks of the same images."""
    masked = {s.image.resolve(): s for s in dataset.samples if s.masks}
    for rival in rivals:
        try:
            layout = list_rival(rival)
        except DataError:  # the note on several formats names it
            continue
        samples = layout.samples if layout else []
        pairs = [(masked[s.image.resolve()], s) for s in samples if s.image.resolve() in masked]
        chosen = pairs[:: max(1, len(pairs) // _COMPARED)][:_COMPARED]
        iou = _iou(dataset, chosen)
        if iou >= _SAME:
            continue
        masks = [mask for sample in masked.values() for mask in sample.masks]
        stated = yaml_line("images", glob_of(list(masked), dataset.root.resolve()))
        stated += f" and {yaml_line('masks', glob_of(masks, dataset.root))}"
        file = Path(rival.found.reason)
        yield Doubt(
            "several_sources",
            f"{counted(len(pairs), 'image')} have masks in {dataset.layout} and in {rival.name} "
            f"({rival.found.reason}), and they differ: the IoU of what is not background is "
            f"{iou:.2f}.",
            f"Write {yaml_line('annotations', f'**/*{file.suffix}')} into data.yaml to use the "
            f"{rival.name}, or {stated} to use the masks.",
        )


def _iou(dataset: DataSet, pairs: Sequence[tuple[Sample, Sample]]) -> float:
    """IoU of the foreground over all pairs of samples; 1 without any."""
    background = dataset.labels.background or 0
    common = union = 0
    for sample, other in pairs:
        try:
            used = dataset.read_mask(sample)
            other_mask = read_mask(other.masks[0]).values
        except DataError:  # reported where the sample is read
            continue
        if used.shape[:2] != other_mask.shape:
            continue
        known = used.reshape(*other_mask.shape, -1)[..., 0] != IGNORE_LABEL
        known &= other_mask != IGNORE_LABEL
        inside = (used == 1).any(axis=2) if used.ndim == 3 else used != background
        common += int(np.count_nonzero(known & inside & (other_mask > 0)))
        union += int(np.count_nonzero(known & (inside | (other_mask > 0))))
    return common / union if union else 1.0
