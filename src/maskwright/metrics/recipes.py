"""Two ways to train, each with several seeds: whether they differ beyond seeds and cases."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.errors import DataError
from maskwright.metrics.confusion import tally_scores
from maskwright.metrics.intervals import FEWEST_CASES, LEVEL, add_by_case, few_cases


@dataclass(frozen=True, eq=False)
class RecipeDifference:
    """Foreground Dice of the models of two recipes on the same images.

    Args:
        a: Of the model of each seed, `(seeds,)`.
        gain: How far the mean of `a` lies above that of `b`.
        ends: 95 % interval of the gain for other seeds and cases, `(2,)`; nan where there is none.
        from_cases: Standard error of the gain because of the cases.
        from_seeds: Standard error of the gain because of the seeds.
    """

    a: np.ndarray
    b: np.ndarray
    gain: float
    ends: np.ndarray
    from_cases: float
    from_seeds: float

    @property
    def sign(self) -> int:
        """1 where recipe A is shown to be better, -1 where B is, else 0."""
        low, high = self.ends
        return int(low > 0) - int(high < 0)


def recipe_difference(
    tallies_a: np.ndarray,
    tallies_b: np.ndarray,
    cases: Sequence[Hashable],
    background: int | None = None,
    level: float = LEVEL,
) -> RecipeDifference:
    """How far one recipe is above another in foreground Dice, with both sources of chance.

    Tallies are those of the models of each seed, `(seeds, n, 3, classes)`, see `metrics.tally`, of
    the same images; `cases` is the case of each, `background` as of `tally_scores`. The variance is
    that of leaving out cases, plus that of the seeds of either recipe; Student's t has the degrees
    of freedom of their sum. There is no interval with fewer than two seeds or `FEWEST_CASES`.

    Raises:
        DataError: If the tallies and cases are not of the same images and classes.

    Source: Satterthwaite, An approximate distribution of estimates of variance components, 1946;
    that both sources add up: Bouthillier et al., Accounting for variance in machine learning
    benchmarks, 2021.
    """
    from scipy.special import stdtrit  # slow to import, and needed here alone

    if tallies_a.shape[1:] != tallies_b.shape[1:] or len(cases) != tallies_a.shape[1]:
        raise DataError(
            f"Expected counts of the same images by all models and a case for each; received "
            f"{tallies_a.shape} and {tallies_b.shape} for {len(cases)} cases."
        )
    sides: list[np.ndarray] = []
    without: list[np.ndarray] = []
    variances: list[float] = []
    freedoms: list[int] = []
    for tallies in (tallies_a, tallies_b):
        sums = np.stack([add_by_case(seed, cases) for seed in tallies])
        total = sums.sum(axis=1)
        values = tally_scores(total, background).foreground_dice
        sides.append(values)
        rest = tally_scores(total[:, None] - sums, background).foreground_dice
        without.append(rest.mean(axis=0))
        seeds = len(values)
        variances.append(float(values.var(ddof=1)) / seeds if seeds > 1 else np.nan)
        freedoms.append(seeds - 1)
    gain = float(sides[0].mean() - sides[1].mean())
    num_cases = len(without[0])
    influence = (num_cases - 1) * (without[0] - without[1])
    squares = (influence - influence.mean()) ** 2
    variances.append(float(squares.sum()) / max(num_cases * (num_cases - 1), 1))
    freedoms.append(num_cases - 1)
    spread = float(np.sum(variances))
    ends = np.full(2, np.nan)
    scored = ~np.isnan(tally_scores(tallies_a[0].sum(axis=0), background).iou)
    few = few_cases(tallies_a[0], cases, scored, background)["foreground_dice"]
    if spread > 0 and num_cases >= FEWEST_CASES and not few:
        freedom = spread**2 / np.sum(np.square(variances) / freedoms)
        reach = stdtrit(float(freedom), (1 + level) / 2) * np.sqrt(spread)
        ends = np.array([gain - reach, gain + reach])
    seeds_error = float(np.sqrt(np.sum(variances[:2])))
    a, b = sides
    return RecipeDifference(a, b, gain, ends, float(np.sqrt(variances[2])), seeds_error)
