"""Which images promises are made from, and which ones a network has learned from."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from maskwright.data import DataSet, Sample, open_dataset
from maskwright.data.audit.calibration_cases import check_calibration_cases
from maskwright.data.parallel import in_threads
from maskwright.data.samples import CALIBRATION
from maskwright.errors import DataError
from maskwright.evaluation import Caution
from maskwright.evaluation.loop import attempt
from maskwright.reliability.options import EVERYTHING, TrustOptions
from maskwright.tasks.provenance import division_of, learned_images, undivided, without_learned
from maskwright.types import Alert

_MOST_TRAINING = 1000  # images that familiarity is learned from
_OTHERS = (
    "Train with calibration_share, or take all images that the model has not seen with "
    f"--split {EVERYTHING} (in Python, split={EVERYTHING!r})."
)


def open_calibration(
    run: Path, data: str | Path, options: TrustOptions, opened: DataSet | None = None
) -> tuple[DataSet, str, tuple[Caution, ...]]:
    """Data set without what the model has seen, the split to calibrate on, and what to say of it.

    Without a split `calibration`, it is the validation split. `DataError` where there is no such
    split, or images of it that belong together count as several cases. `opened` is the data, where
    it is open already.
    """
    split = options.split
    if opened is None:
        division = division_of(run)
        dataset = open_dataset(data, **undivided(division) if split == EVERYTHING else division)
    else:
        dataset = opened
    if split == EVERYTHING:
        dataset = replace(dataset, samples=tuple(replace(s, split=split) for s in dataset.samples))
    elif split == CALIBRATION and split not in dataset.splits and "val" in dataset.splits:
        split = "val"
        options.on_message(
            Alert(
                f"{dataset.root} has no split {CALIBRATION!r}: promises are made from its "
                f"validation images and approximate, where the model was selected by these. "
                f"{_OTHERS}"
            )
        )
    if split not in dataset.splits:
        there = ", ".join(f"{name} ({count})" for name, count in dataset.splits.items())
        raise DataError(f"{dataset.root} has no split {split!r}; it has {there}. {_OTHERS}")
    check_calibration_cases(dataset, split)
    dataset, cautions = without_learned(dataset, split, run)
    return dataset, split, cautions


def was_selected_by(run: Path, dataset: DataSet, samples: Sequence[Sample]) -> bool:
    """Whether weights, thresholds or cleaning of a model were chosen by one of some read images.

    Where the model has no record of its images, it was by those of the validation split.
    """
    learned = learned_images(run)
    if not (learned.train or learned.val):
        return any(sample.split == "val" for sample in samples)
    return any(dataset.content_hash(sample) in learned.val for sample in samples)


def training_images(run: Path, dataset: DataSet) -> Iterator[np.ndarray]:
    """Images `(h, w, c)` that the model has learned from, some thousand; none of other data."""
    learned = learned_images(run).train
    splits = ("train", EVERYTHING) if learned else ("train",)
    samples = [sample for sample in dataset.samples if sample.split in splits]
    samples = samples[:: -(-len(samples) // _MOST_TRAINING) or 1]
    read = partial(attempt, dataset.read_image)
    for sample, image in zip(samples, in_threads(read, samples, "Training images"), strict=True):
        is_known = not learned or dataset.content_hash(sample) in learned
        if is_known and not isinstance(image, DataError):
            yield image
