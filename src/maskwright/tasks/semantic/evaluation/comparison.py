"""`Comparison`: two models on the same images, what sets them apart, and whether that is shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from maskwright.evaluation import Evaluation
from maskwright.labels import Labels
from maskwright.metrics import Paired, paired_difference, tally_scores
from maskwright.metrics.paired import PairedMean, holm, paired_mean, sign_shown, verdict
from maskwright.model_card import SemanticCard
from maskwright.tasks.semantic.evaluation.details.measures import MaskDetails
from maskwright.tasks.semantic.evaluation.details.outlines import DISTANCES, OUTLINE_SCORES
from maskwright.tasks.semantic.evaluation.scores import background_of, headline, means_of

FAILED = 0.5
"""Dice below which an image counts as failed."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison(Evaluation):
    """Counts of two models on the same images; `card` and `names[0]` are those of A.

    `tallies` are those of each image, of A and of B, int64 `(n, 2, 3, classes)`; `outlines` their
    scores of outlines, where these are compared.
    """

    card: SemanticCard
    names: tuple[str, str]
    cards: tuple[SemanticCard, SemanticCard]
    labels: Labels
    tallies: np.ndarray
    outlines: tuple[MaskDetails, MaskDetails] | None = None

    @cached_property
    def paired(self) -> Paired:
        """Scores of A and B, A's gain over B, its intervals and tests."""
        a, b = self.tallies.swapaxes(0, 1)
        return paired_difference(a, b, self.cases, background=background_of(self.card))

    @cached_property
    def outline_means(self) -> Mapping[str, PairedMean]:
        """Scores of outlines by key, means over the classes of an image and over cases; or none.

        Those of which no image has one, such as distances in mm, are left out.
        """
        if self.outlines is None:
            return {}
        a, b = (details.scores for details in self.outlines)
        means = {
            score.key: paired_mean(a[f"mean_{score.key}"], b[f"mean_{score.key}"], self.cases)
            for score in OUTLINE_SCORES
        }
        return {key: mean for key, mean in means.items() if not np.isnan(mean.gain)}

    @property
    def primary(self) -> str:
        """Key of the score whose verdict decides; the others are exploratory."""
        return headline(self.card).key

    @cached_property
    def chances(self) -> Mapping[str, np.ndarray]:
        """Chance of each difference between equal models, `()` and `(classes,)`; nan without test.

        That of the primary score is as it is: its verdict decides. All others, of the means, of
        outlines and of the IoU of each class, are corrected together by `holm`.
        """
        keys = [mean.key for mean in means_of(self.card) if mean.key != self.primary]
        p = vars(self.paired.p)
        outlines = self.outline_means
        single = [*(p[key] for key in keys), *(mean.p for mean in outlines.values())]
        keys += outlines
        corrected = holm(np.concatenate([single, p["iou"]]))
        others = dict(zip(keys, corrected, strict=False))
        return {self.primary: p[self.primary], **others, "iou": corrected[len(keys) :]}

    def verdict(self, key: str, label: int | None = None) -> str:
        """Plain words on the difference in a score, of a class or of all."""
        chance = self.chances[key] if label is None else self.chances[key][label]
        gain = getattr(self.paired.gain, key)
        return verdict(sign_shown(gain if label is None else gain[label], float(chance)))

    def outline_verdict(self, key: str) -> str:
        """Plain words on the difference in a score of outlines; of distances, low ones are good."""
        sign = sign_shown(self.outline_means[key].gain, float(self.chances[key]))
        return verdict(-sign if key in DISTANCES else sign)

    @cached_property
    def dice(self) -> np.ndarray:
        """Dice of each image by A and by B, `(n, 2)`, averaged over the foreground that it holds.

        nan where it holds none.
        """
        background = background_of(self.card)
        return tally_scores(self.tallies, background, held_only=True).foreground_dice

    @property
    def gains(self) -> np.ndarray:
        """How far A's Dice lies above B's in each image, `(n,)`; nan without a score."""
        return self.dice[:, 0] - self.dice[:, 1]

    @property
    def failed_alone(self) -> tuple[list[str], list[str]]:
        """Images whose Dice is below `FAILED` with A and not with B, and the other way round."""
        failed = self.dice < FAILED
        alone = failed & ~failed[:, ::-1]
        ids = np.array([sample.id for sample in self.samples])
        return ids[alone[:, 0]].tolist(), ids[alone[:, 1]].tolist()
