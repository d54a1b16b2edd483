"""Which scored images can tell whether promises hold: those that these do not rest on."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from maskwright.data import DataSet
from maskwright.data.cases.fingerprints import shows_known
from maskwright.data.parallel import in_threads
from maskwright.data.samples import Sample, counted, examples, join_words
from maskwright.evaluation import Caution, Evaluation
from maskwright.reliability.risk_control import fewest_cases
from maskwright.tasks.provenance import learned_images


class CalibratedOn(Protocol):
    """A record of promises, by what they were made from."""

    @property
    def split(self) -> str:
        """Of the calibration images."""

    @property
    def image_hashes(self) -> tuple[str, ...]:
        """Of these images; none in an older record."""


def hashes_of(dataset: DataSet, samples: Sequence[Sample]) -> tuple[str, ...]:
    """Hashes of images, as `DataSet.content_hash` gives them, sorted."""
    hashes = in_threads(dataset.content_hash, samples, "Recording images")
    return tuple(sorted({each for each in hashes if each is not None}))


def nothing_there(evaluation: Evaluation, classes: Iterable[str]) -> str:
    """Why nothing can be promised where no calibration image holds one of some classes."""
    return (
        f"None of {counted(len(evaluation.samples), 'image')} of {evaluation.data} holds "
        f"{join_words(list(classes), ' or ')}: promises need calibration images that do, at least "
        f"{fewest_cases(0.1)} cases of a class for one at 10 %."
    )


def near_copies(run: Path, dataset: DataSet, samples: Sequence[Sample]) -> list[str]:
    """A note on read images that look like some that a model has learned from, if there are any.

    They are no exact copies, which are left out; without the training images, that they are copies
    is no certainty, so that they stay.
    """
    known = sorted(learned_images(run).fingerprints)
    prints = dataset.hashes.fingerprints
    there = [sample for sample in samples if sample.image in prints]
    looks = shows_known([prints[sample.image] for sample in there], known)
    names = [there[place].id for place in np.flatnonzero(looks).tolist()]
    if not names:
        return []
    return [
        f"{len(names)} of {counted(len(samples), 'image')} look like training images "
        f"({examples(names)}): as copies of these, or frames of the same videos, they are no new "
        f"cases, and what is promised from them does not hold for new ones; leave them out."
    ]


def dependent_images(
    run: Path, dataset: DataSet, evaluation: Evaluation, record: CalibratedOn
) -> tuple[frozenset[int], tuple[Caution, ...]]:
    """Places of scored images that promises rest on, and what to say of them.

    These are the calibration images, and those that the model learned from or was selected by,
    whatever their names. Of an older record, which has no hashes, they are those of its split.
    """
    learned = learned_images(run)
    known = {*record.image_hashes, *learned.train, *learned.val}
    split, samples = evaluation.options.split, evaluation.samples
    is_same = not record.image_hashes and split == record.split
    places = frozenset(
        place
        for place, sample in enumerate(samples)
        if is_same or (known and dataset.content_hash(sample) in known)
    )
    if not places:
        return places, ()
    how_many = (
        f"None of {counted(len(samples), 'image')} can"
        if len(places) == len(samples)
        else f"{len(places)} of {counted(len(samples), 'image')} cannot"
    )
    text = (
        f"{how_many} tell whether promises hold: the promises were made from them, or the model "
        f"was trained or selected with them; evaluate on others."
    )
    return places, (Caution("promises", text),)
