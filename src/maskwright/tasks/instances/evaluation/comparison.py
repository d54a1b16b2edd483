"""Two models of single objects on the same images, what sets them apart, and whether that is shown.

The models may be of different methods: what is compared are their objects.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from maskwright.data import DataSet
from maskwright.display.objects import draw_objects
from maskwright.evaluation import EvaluateOptions, Evaluation, Example, evaluate
from maskwright.evaluation.reports.formatting import number
from maskwright.evaluation.result import shown
from maskwright.export.engines import Threads
from maskwright.labels import Labels
from maskwright.metrics.paired import holm, sign_shown, verdict
from maskwright.metrics.paired_objects import PairedObjects, paired_objects
from maskwright.model_card import InstanceCard
from maskwright.tasks.instances.evaluation.outcomes import draw_outcomes, object_outcomes
from maskwright.tasks.instances.evaluation.scorer import InstanceScorer
from maskwright.tasks.instances.evaluation.scores import SCORES, InstanceEvaluation
from maskwright.tasks.instances.predictor import InstancePredictor
from maskwright.tasks.paired_runs import (
    PairScorer,
    most_differing,
    open_shared,
    require_same_classes,
)
from maskwright.tasks.settings import refuse_evaluate_options

PRIMARY = "ap"
"""Key of the score whose verdict decides; the others are exploratory."""

Scorers = tuple[InstanceScorer, InstanceScorer]


@dataclass(frozen=True, eq=False, kw_only=True)
class InstanceComparison(Evaluation):
    """Objects of two models on the same images; `card` and `names[0]` are those of A."""

    card: InstanceCard
    names: tuple[str, str]
    labels: Labels
    sides: tuple[InstanceEvaluation, InstanceEvaluation]

    @cached_property
    def paired(self) -> PairedObjects:
        """Scores of A and B, A's gain over B, its intervals and tests."""
        a, b = self.sides
        return paired_objects(a.tallies, b.tallies, self.cases)

    @cached_property
    def chances(self) -> Mapping[str, np.ndarray]:
        """Chance of each difference between equal models, `()` and `(classes,)`; nan without test.

        That of the primary score is as it is. All others are corrected together by `holm`: of the
        other scores, and of the panoptic quality of each class where there are several.
        """
        keys = [score.key for score in SCORES if score.key != PRIMARY]
        p = self.paired.p
        classes = p["class_pq"] if self.labels.num_classes > 2 else p["class_pq"] * np.nan
        corrected = holm(np.concatenate([[p[key] for key in keys], classes]))
        others = dict(zip(keys, corrected, strict=False))
        return {PRIMARY: p[PRIMARY], **others, "class_pq": corrected[len(keys) :]}

    def verdict(self, key: str, label: int | None = None) -> str:
        """Plain words on the difference in a score, of a class or of all."""
        gain, chance = self.paired.gain[key], self.chances[key]
        if label is not None:
            gain, chance = gain[label], chance[label]
        return verdict(sign_shown(gain, float(chance)))

    @cached_property
    def image_ap(self) -> np.ndarray:
        """AP of each image by A and by B, `(n, 2)`; nan without true and predicted objects."""
        return np.stack([side.image_ap for side in self.sides], axis=1)

    @property
    def gains(self) -> np.ndarray:
        """How far A's AP lies above B's in each image, `(n,)`; nan without a score."""
        return self.image_ap[:, 0] - self.image_ap[:, 1]


def compare_instances(
    models: tuple[InstancePredictor, InstancePredictor],
    source: DataSet,
    options: EvaluateOptions,
    names: tuple[str, str] = ("A", "B"),
) -> InstanceComparison:
    """Score two models of objects, A and B, on the same images of a split.

    `options.examples` images are shown on which A is ahead, as many for B. Raises `ModelError` for
    different classes, and as `evaluation.evaluate`.
    """
    a, b = models
    require_same_classes(a.card.labels, b.card.labels, names)
    scorers = (InstanceScorer(source, a, options), InstanceScorer(source, b, options))
    return evaluate(
        lambda image: (a.predict_all(image), b.predict_all(image)),
        PairScorer(scorers, names, partial(_comparison, scorers, names)),
    )


def compare_runs(
    a: Path, b: Path, data: str | Path, options: EvaluateOptions
) -> InstanceComparison:
    """Score two runs on the images that are in the split for both, as `Task.compare`."""
    refuse_evaluate_options(InstanceCard.task, options)
    threads = Threads(allow_code=options.allow_code)
    first, second = (
        InstancePredictor.load(run, threads).adjusted(pixel_range=options.pixel_range)
        for run in (a, b)
    )
    dataset, warnings = open_shared(a, b, data, options.split)
    comparison = compare_instances((first, second), dataset, options, (str(a), str(b)))
    return replace(comparison, warnings=(*warnings, *comparison.warnings))


def _comparison(scorers: Scorers, names: tuple[str, str], base: Evaluation) -> InstanceComparison:
    """Scores of both models and what sets them apart, with examples."""
    comparison = InstanceComparison(
        **{
            **vars(base),
            "names": names,
            "labels": scorers[0].source.labels,
            "sides": tuple(s.scored(replace(base, card=s.card)) for s in scorers),
        }
    )
    order = most_differing(comparison.gains, base.options.examples)
    examples = [_example(scorers, comparison, index) for index in order]
    return replace(comparison, examples=tuple(examples))


def _example(scorers: Scorers, comparison: InstanceComparison, index: int) -> Example:
    """The image with the errors of both models."""
    sample, (first, second) = comparison.samples[index], comparison.image_ap[index]
    picture, truth, _ = scorers[0].show(sample, index)
    errors = [
        draw_outcomes(picture, object_outcomes(scorer.show(sample, index)[2], truth))
        for scorer in scorers
    ]
    panels = (
        ("Image", shown(picture)),
        ("Ground truth", shown(draw_objects(picture, truth.take(~truth.crowd)))),
        ("Errors of A", shown(errors[0])),
        ("Errors of B", shown(errors[1])),
    )
    rank = "A is ahead" if first > second else "B is ahead"
    return Example(rank, sample.id, f"AP of A {number(first)} · of B {number(second)}", panels)
