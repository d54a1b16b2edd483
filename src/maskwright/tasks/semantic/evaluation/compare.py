"""Two models scored on the same images of a split, each of which is read once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from maskwright.data import DataSet, Sample, open_dataset
from maskwright.errors import ConfigError, DataError, ModelError
from maskwright.evaluation import Caution, EvaluateOptions, Evaluation, Example, evaluate
from maskwright.evaluation.reports.formatting import number
from maskwright.export.engines import Threads
from maskwright.inference.predictor import Prediction, Predictor, Segmenter, check_flips
from maskwright.model_card import SemanticCard
from maskwright.tasks.provenance import division_of, without_learned
from maskwright.tasks.semantic.evaluation.comparison import TWO_FILES, Comparison
from maskwright.tasks.semantic.evaluation.drawing import draw_errors
from maskwright.tasks.semantic.evaluation.scorer import SemanticScorer


class PairScorer:
    """Two models, A and B, scored on each image, which is read once."""

    def __init__(
        self, scorers: tuple[SemanticScorer, SemanticScorer], names: tuple[str, str]
    ) -> None:
        self.scorers, self.names = scorers, names
        first = scorers[0]
        self.source, self.card, self.options = first.source, first.card, first.options
        self.workers = first.workers and scorers[1].workers
        self.read = first.read

    def update(
        self,
        sample: Sample,
        image: np.ndarray,
        truth: np.ndarray,
        prediction: tuple[Prediction, Prediction],
    ) -> None:
        """Count the pixels of one image for both models, as `Scorer.update`."""
        for scorer, predicted in zip(self.scorers, prediction, strict=True):
            scorer.update(sample, image, truth, predicted)

    def result(self, base: Evaluation) -> Comparison:
        """Scores of both and what sets them apart, as `Scorer.result`."""
        comparison = Comparison(
            **{
                **vars(base),
                "warnings": self._warnings(base),
                "names": self.names,
                "cards": tuple(scorer.card for scorer in self.scorers),
                "labels": self.scorers[0].labels,
                "tallies": np.stack([scorer.tallies for scorer in self.scorers], axis=1),
            }
        )
        order = most_differing(comparison.gains, self.options.examples)
        examples = [self._example(comparison, index) for index in order]
        return replace(comparison, examples=tuple(examples))

    def _warnings(self, base: Evaluation) -> tuple[Caution, ...]:
        bases = [replace(base, card=scorer.card) for scorer in self.scorers]
        cautions = [
            [*scorer.warnings, *evaluation.split_cautions()]
            for scorer, evaluation in zip(self.scorers, bases, strict=True)
        ]
        merged = merge_cautions(self.names, cautions)
        return (*merged, *base.case_cautions(), TWO_FILES)

    def _example(self, comparison: Comparison, index: int) -> Example:
        """The image with the errors of both models."""
        sample = comparison.samples[index]
        dice = comparison.dice[index]
        picture, truth, first = self.scorers[0].show(sample, index)
        *_, second = self.scorers[1].show(sample, index)
        background = self.card.background
        panels = (
            ("Image", picture),
            ("Ground truth", self.scorers[0].labels.overlay(picture, truth)),
            ("Errors of A", draw_errors(picture, truth, first, background)),
            ("Errors of B", draw_errors(picture, truth, second, background)),
        )
        rank = "A is ahead" if dice[0] > dice[1] else "B is ahead"
        text = f"Dice of A {number(dice[0])} · of B {number(dice[1])}"
        return Example(rank, sample.id, text, panels)


def compare_masks(
    models: tuple[Segmenter, Segmenter],
    source: DataSet,
    options: EvaluateOptions,
    names: tuple[str, str] = ("A", "B"),
) -> Comparison:
    """Score two models, A and B, on the same images of a split.

    `options.examples` images are shown on which A is ahead, as many for B. Raises `ModelError` for
    different classes, `ConfigError` for working sizes that differ, and as `evaluation.evaluate`.
    """
    (a, b), flips = models, options.flips
    for card in (a.card, b.card):
        check_flips(card, flips)
    _check_comparable(a.card, b.card, names, options.size)
    scorers = SemanticScorer(source, a.card, options), SemanticScorer(source, b.card, options)
    return evaluate(
        lambda image: (a(image, flips=flips), b(image, flips=flips)), PairScorer(scorers, names)
    )


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


def _check_comparable(a: SemanticCard, b: SemanticCard, names: tuple[str, str], size: str) -> None:
    if a.labels.names != b.labels.names:
        raise ModelError(
            f"Expected two models of the same classes: {names[0]} has "
            f"{', '.join(a.labels.names)}, {names[1]} {', '.join(b.labels.names)}."
        )
    if size == "working" and a.size != b.size:
        sizes = [
            "that of the image" if card.size is None else f"{card.size[0]}x{card.size[1]} px"
            for card in (a, b)
        ]
        raise ConfigError(
            f"{names[0]} and {names[1]} have different working sizes, {' and '.join(sizes)}; "
            f"compare them at the original size, with size 'original'."
        )


def compare_runs(
    a: Path,
    b: Path,
    data: str | Path,
    options: EvaluateOptions,
    card_type: type[SemanticCard] = SemanticCard,
) -> Comparison:
    """Score two runs, with cards of one type, on the images that are in the split for both."""
    threads = Threads(allow_code=options.allow_code)
    first, second = (
        Predictor.load(run, threads, card_type).adjusted(pixel_range=options.pixel_range)
        for run in (a, b)
    )
    dataset, warnings = _shared(a, b, data, options.split)
    dataset, seen = without_learned(dataset, options.split, a, b)
    comparison = compare_masks((first, second), dataset, options, (str(a), str(b)))
    return replace(comparison, warnings=(*warnings, *seen, *comparison.warnings))


def _shared(a: Path, b: Path, data: str | Path, split: str) -> tuple[DataSet, tuple[Caution, ...]]:
    """The data set with the samples that are in the split for both runs."""
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
