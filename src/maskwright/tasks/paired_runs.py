"""What comparisons of two models share, whatever their task: images, cautions and examples."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from maskwright.data import DataSet, Sample, open_dataset
from maskwright.errors import DataError, ModelError
from maskwright.evaluation import Caution, Evaluation
from maskwright.labels import Labels
from maskwright.tasks.provenance import division_of, without_learned

Compared = TypeVar("Compared", bound=Evaluation)

TWO_FILES = Caution(
    "two_models",
    "Two trained models were compared, not two ways to train: another seed gives another model.",
)


class PairScorer(Generic[Compared]):
    """A `Scorer` of two models, A and B, each with its own scorer; every image is read once.

    `finish` makes the comparison from what every evaluation holds, the cautions of both included.
    """

    def __init__(
        self,
        scorers: tuple[Any, Any],
        names: tuple[str, str],
        finish: Callable[[Evaluation], Compared],
    ) -> None:
        self.scorers, self.names, self.finish = scorers, names, finish
        first = scorers[0]
        self.source, self.card, self.options = first.source, first.card, first.options
        self.workers = first.workers and scorers[1].workers
        self.read = first.read

    def update(
        self, sample: Sample, image: np.ndarray, truth: Any, prediction: tuple[Any, Any]
    ) -> None:
        """Score one image for both models, as `Scorer.update`."""
        for scorer, predicted in zip(self.scorers, prediction, strict=True):
            scorer.update(sample, image, truth, predicted)

    def result(self, base: Evaluation) -> Compared:
        """Scores of both and what sets them apart, as `Scorer.result`."""
        cautions = [
            [*scorer.warnings, *replace(base, card=scorer.card).split_cautions()]
            for scorer in self.scorers
        ]
        merged = merge_cautions(self.names, cautions)
        warnings = (*merged, *base.case_cautions(), TWO_FILES)
        return self.finish(replace(base, warnings=warnings))


def most_differing(gains: np.ndarray, number: int) -> list[int]:
    """Indices of the largest gains, then of the largest losses, at most `number` of each."""
    defined = np.flatnonzero(~np.isnan(gains))
    order = defined[np.argsort(-gains[defined], kind="stable")].tolist()
    ahead = [index for index in order if gains[index] > 0][:number]
    behind = [index for index in reversed(order) if gains[index] < 0][:number]
    return ahead + behind


def merge_cautions(
    names: Sequence[str], cautions: Sequence[Sequence[Caution]]
) -> tuple[Caution, ...]:
    """Cautions of several models: those of all once, others after the name of their model."""
    merged = [caution for caution in cautions[0] if all(caution in other for other in cautions)]
    for name, items in zip(names, cautions, strict=True):
        merged += [Caution(c.code, f"{name}: {c.text}") for c in items if c not in merged]
    return tuple(merged)


def require_same_classes(a: Labels, b: Labels, names: tuple[str, str]) -> None:
    """Raise `ModelError` for two models of other classes."""
    if a.names != b.names:
        raise ModelError(
            f"Expected two models of the same classes: {names[0]} has "
            f"{', '.join(a.names)}, {names[1]} {', '.join(b.names)}."
        )


def open_shared(
    a: Path, b: Path, data: str | Path, split: str
) -> tuple[DataSet, tuple[Caution, ...]]:
    """The data set with the images in the split of both runs, less those that one learned from.

    Raises `DataError` where no image is in the split of both.
    """
    dataset, cautions = _in_both(a, b, data, split)
    dataset, seen = without_learned(dataset, split, a, b)
    return dataset, (*cautions, *seen)


def _in_both(a: Path, b: Path, data: str | Path, split: str) -> tuple[DataSet, tuple[Caution, ...]]:
    dataset = open_dataset(data, **division_of(a))
    if division_of(b) == division_of(a):
        return dataset, ()
    samples = dataset.of(split)
    others = {sample.id for sample in open_dataset(data, **division_of(b)).of(split)}
    shared = [sample for sample in samples if sample.id in others]
    if not shared:
        raise DataError(
            f"{a} and {b} divide {dataset.root} differently, and no image is in the split "
            f"{split!r} for both; train both with the same shares, split_seed and group_by."
        )
    if len(shared) == len(samples) == len(others):
        return dataset, ()
    text = (
        f"The runs divide the data differently: only {len(shared)} of {len(samples)} images are "
        f"in the split {split!r} for both, and are scored."
    )
    rest = tuple(sample for sample in dataset.samples if sample.split != split)
    caution = Caution("different_splits", text)
    return replace(dataset, samples=(*rest, *shared)), (caution,)
