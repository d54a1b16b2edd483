"""Masks of the same images in two formats: whether they show the same, and under which names."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.readers.base import Rival
from maskwright.data.readers.folders.marks import glob_of
from maskwright.data.readers.resolve import list_rival
from maskwright.data.samples import Doubt, Note, Sample, counted, yaml_line
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import read_mask
from maskwright.labels import IGNORE_LABEL, Labels

_COMPARED = 16  # images
_SAME = 0.9  # IoU, or share, of polygons and of the masks that are drawn of them
_SAME_CLASS = 0.8  # share of the pixels of each class
_MIN_PX = 50  # of a class that is compared
_UNNAMED = re.compile(r"class_\d+")


def compare_rivals(dataset: DataSet, rivals: Sequence[Rival], is_named: bool) -> DataSet:
    """With doubts where a format that was not taken has other masks of the same images.

    Where it has the same, its names are given to classes without any, unless data.yaml names them.
    """
    masked = {s.image.resolve(): s for s in dataset.samples if s.masks}
    for rival in rivals:
        try:
            samples, names = list_rival(rival)
        except (ConfigError, DataError):  # the note on several formats names it
            continue
        pairs = [(masked[s.image.resolve()], s) for s in samples if s.image.resolve() in masked]
        if not pairs:
            continue
        chosen = pairs[:: max(1, len(pairs) // _COMPARED)][:_COMPARED]
        shared = _shared_px(dataset, chosen)
        if problem := _differ(shared, dataset.labels, names):
            doubt = _doubt(dataset, rival, f"{counted(len(pairs), 'image')} have", problem)
            dataset = replace(dataset, doubts=(*dataset.doubts, doubt))
        elif not is_named and (labels := _named(shared, dataset.labels, names)):
            text = f"The classes have the names of the {rival.name} ({rival.found.reason}), whose "
            text += "objects cover the same pixels."
            notes = (*dataset.notes, Note("names_of_annotations", text))
            dataset = replace(dataset, labels=labels, notes=notes)
    return dataset


def _doubt(dataset: DataSet, rival: Rival, have: str, problem: str) -> Doubt:
    masked = [sample for sample in dataset.samples if sample.masks]
    masks = [mask for sample in masked for mask in sample.masks]
    images = [sample.image.resolve() for sample in masked]
    stated = yaml_line("images", glob_of(images, dataset.root.resolve()))
    stated += f" and {yaml_line('masks', glob_of(masks, dataset.root))}"
    file = Path(rival.found.reason)
    return Doubt(
        "several_sources",
        f"{have} masks in {dataset.layout} and in {rival.name} ({rival.found.reason}), and they "
        f"differ: {problem}.",
        f"Write {yaml_line('annotations', f'**/*{file.suffix}')} into data.yaml to use the "
        f"{rival.name}, or {stated} to use the masks.",
    )


def _shared_px(dataset: DataSet, pairs: Sequence[tuple[Sample, Sample]]) -> np.ndarray:
    """Pixels `(256, 256)` of each label of the data set and each of the other masks.

    Where classes overlap, that of the data set is 1 wherever any is.
    """
    shared = np.zeros(256 * 256, np.int64)
    for sample, other in pairs:
        try:
            used = dataset.read_mask(sample)
            other_mask = read_mask(other.masks[0]).values.astype(np.int64)
        except DataError:  # reported where the sample is read
            continue
        if used.shape[:2] == other_mask.shape[:2] and other_mask.ndim == 2:
            used = (used == 1).any(axis=2).astype(np.int64) if used.ndim == 3 else used
            shared += np.bincount((used * 256 + other_mask).ravel(), minlength=shared.size)
    return shared.reshape(256, 256)


def _differ(shared: np.ndarray, labels: Labels, names: Sequence[str]) -> str:
    """In what masks differ, a phrase; `""` where they do not. Background of the others is 0."""
    background = labels.background or 0
    known = np.delete(np.delete(shared, IGNORE_LABEL, axis=0), IGNORE_LABEL, axis=1)
    inside = np.delete(known[:, 1:], background, axis=0)
    union = known.sum() - known[background, 0]
    iou = inside.sum() / union if union else 1.0
    if iou < _SAME:
        return f"the IoU of what is not background is {iou:.2f}"
    own = {n.casefold(): label for label, n in enumerate(labels.names) if label != background}
    others = {name.casefold(): label for label, name in enumerate(names) if label}
    if own.keys() == others.keys():
        equal = [shared[label, others[name]] for name, label in own.items()]
        share = _least_share(np.array(equal), shared[list(own.values()), 1:IGNORE_LABEL].sum(1))
    else:  # in whatever order, each class of one is a class of the other
        share = min(_least_share(inside.max(axis), inside.sum(axis)) for axis in (0, 1))
    return "" if share >= _SAME_CLASS else f"{1 - share:.0%} of a class are another one there"


def _least_share(equal: np.ndarray, total: np.ndarray) -> float:
    """Least share of what is equal, of the classes that are not too small; 1 without any."""
    large = total >= _MIN_PX
    return float((equal[large] / total[large]).min(initial=1))


def _named(shared: np.ndarray, labels: Labels, names: Sequence[str]) -> Labels | None:
    """Labels with the names of the same pixels; `None` where some have names, or no such ones."""
    size = len(names)
    pixels = shared[:size, :size]
    best = pixels.argmax(axis=1)
    agree = pixels.max(axis=1) >= _SAME * np.maximum(pixels.sum(axis=1), pixels.sum(axis=0)[best])
    all_unnamed = all(_UNNAMED.fullmatch(name) for name in labels.names)
    if not all_unnamed or size != labels.num_classes or len(set(best)) != size or not agree.all():
        return None
    own_colors = None if labels == Labels.create(labels.names) else labels.colors
    return Labels.create([names[place] for place in best], own_colors)
