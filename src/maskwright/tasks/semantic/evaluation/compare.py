"""Two models scored on the same images of a split, each of which is read once."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from maskwright.data import DataSet
from maskwright.errors import ConfigError
from maskwright.evaluation import EvaluateOptions, Evaluation, Example, evaluate
from maskwright.evaluation.reports.formatting import number
from maskwright.export.engines import Threads
from maskwright.inference.predictor import Predictor, Segmenter, check_flips
from maskwright.model_card import SemanticCard
from maskwright.tasks.paired_runs import (
    PairScorer,
    most_differing,
    open_shared,
    require_same_classes,
)
from maskwright.tasks.semantic.evaluation.comparison import Comparison
from maskwright.tasks.semantic.evaluation.drawing import draw_errors
from maskwright.tasks.semantic.evaluation.scorer import SemanticScorer


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
    scorers = (
        SemanticScorer(source, a.card, options, detailed=options.outlines),
        SemanticScorer(source, b.card, options, detailed=options.outlines),
    )
    return evaluate(
        lambda image: (a(image, flips=flips), b(image, flips=flips)),
        PairScorer(scorers, names, partial(_comparison, scorers, names)),
    )


def _comparison(
    scorers: tuple[SemanticScorer, SemanticScorer], names: tuple[str, str], base: Evaluation
) -> Comparison:
    """Scores of both models and what sets them apart, with examples."""
    first, second = (scorer.details for scorer in scorers)
    comparison = Comparison(
        **{
            **vars(base),
            "names": names,
            "cards": tuple(scorer.card for scorer in scorers),
            "labels": scorers[0].labels,
            "tallies": np.stack([scorer.tallies for scorer in scorers], axis=1),
            "outlines": None if first is None or second is None else (first, second),
        }
    )
    order = most_differing(comparison.gains, base.options.examples)
    examples = [_example(scorers, comparison, index) for index in order]
    return replace(comparison, examples=tuple(examples))


def _example(
    scorers: tuple[SemanticScorer, SemanticScorer], comparison: Comparison, index: int
) -> Example:
    """The image with the errors of both models."""
    sample = comparison.samples[index]
    dice = comparison.dice[index]
    picture, truth, first = scorers[0].show(sample, index)
    *_, second = scorers[1].show(sample, index)
    background = comparison.card.background
    panels = (
        ("Image", picture),
        ("Ground truth", comparison.labels.overlay(picture, truth)),
        ("Errors of A", draw_errors(picture, truth, first, background)),
        ("Errors of B", draw_errors(picture, truth, second, background)),
    )
    rank = "A is ahead" if dice[0] > dice[1] else "B is ahead"
    text = f"Dice of A {number(dice[0])} · of B {number(dice[1])}"
    return Example(rank, sample.id, text, panels)


def _check_comparable(a: SemanticCard, b: SemanticCard, names: tuple[str, str], size: str) -> None:
    require_same_classes(a.labels, b.labels, names)
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
    dataset, warnings = open_shared(a, b, data, options.split)
    comparison = compare_masks((first, second), dataset, options, (str(a), str(b)))
    return replace(comparison, warnings=(*warnings, *comparison.warnings))
