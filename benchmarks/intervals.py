"""How often intervals hold the truth, and how often equal models are called different.

    python benchmarks/intervals.py [--data-sets 2000]

Data sets are drawn whose true scores are known, in four ways: `mild` cases of one image each;
`clustered` ones of four that resemble each other; `failing`, where one image in ten is missed; and
`rare`, where one image in ten holds a second class. One JSON line each, for several numbers of
cases: the share of 95 % intervals that hold the true Dice of the foreground, of all pixels and
averaged over images, beside that of the middle 95 % of 1,000 bootstrap samples, the usual way; the
median width of both; and of how many data sets there is no interval. Then for pairs of equal models
the share that is called different, of the 5 % allowed; and, for decisions, the share of intervals
of accuracy, sensitivity and ROC AUC that hold the truth.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import typer
from scipy.special import expit, ndtr

from maskwright.metrics import decision_intervals, paired_difference, tally_scores
from maskwright.metrics.confusion import ratio
from maskwright.metrics.intervals import add_by_case, mean_interval, score_intervals

_BOOTSTRAP = 1000
_TRUTH_CASES = 40_000  # that the true scores are taken from


@dataclass(frozen=True)
class Scene:
    """How cases are drawn: images of each, spread of ease of cases and images, share missed."""

    images: int = 1
    between: float = 0.6
    within: float = 0.4
    failing: float = 0.0
    rare: float = 0.0
    numbers: tuple[int, ...] = (6, 10, 25, 60)


SCENES = {
    "mild": Scene(),
    "clustered": Scene(images=4, between=0.9),
    "failing": Scene(failing=0.1),
    "rare": Scene(rare=0.1),
}


def draw(
    rng: np.random.Generator, scene: Scene, num_cases: int, models: int = 1
) -> tuple[np.ndarray, list[int]]:
    """Tallies of images `(models, n, 3, classes)` and the case of each."""
    cases = np.repeat(np.arange(num_cases), scene.images)
    shape = (models, len(cases))
    num_classes = 3 if scene.rare else 2
    sizes = np.exp(rng.normal(7, 0.7, (len(cases), num_classes - 1))).astype(np.int64) + 20
    if scene.rare:
        sizes[:, 1] *= rng.random(len(cases)) < scene.rare
    ease = 2 + scene.between * rng.normal(size=num_cases)[cases]
    ease = ease + scene.within * rng.normal(size=shape)
    found = expit(ease)
    found = np.where(rng.random(shape) < scene.failing, 0.05, found)[..., None]
    overlap = np.round(found * sizes)
    false = np.round(0.5 * (1 - found) * sizes)
    all_pixels = 40_000
    truth = np.broadcast_to(sizes, overlap.shape)
    missed, wrong = (truth - overlap).sum(-1), false.sum(-1)
    background = all_pixels - truth.sum(-1)
    zero = np.stack([background, background - wrong + missed, background - wrong], axis=-1)
    rest = np.stack([truth, overlap + false, overlap], axis=-1)
    tallies = np.concatenate([zero[..., None, :], rest], axis=-2)
    return tallies.swapaxes(-1, -2).astype(np.int64), cases.tolist()


def pooled(tallies: np.ndarray) -> float:
    """Mean Dice over the classes, of all pixels."""
    return float(tally_scores(tallies.sum(axis=0)).mean_dice)


def percentiles(
    rng: np.random.Generator, sums: np.ndarray, score: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Middle 95 % of bootstrap samples of cases."""
    times = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), _BOOTSTRAP)
    drawn = (times @ sums.reshape(len(sums), -1)).reshape(_BOOTSTRAP, *sums.shape[1:])
    scores = score(drawn)
    scores = scores[~np.isnan(scores)]
    return np.quantile(scores, [0.025, 0.975]) if scores.size else np.full(2, np.nan)


def coverage(scene: Scene, number: int, data_sets: int, seed: int) -> dict[str, object]:
    """Shares of intervals that hold the truth, ours and percentiles."""
    rng = np.random.default_rng([seed, number])
    wide = np.random.default_rng([seed, 0])
    everything, _ = draw(wide, scene, _TRUTH_CASES)
    label = everything.shape[-1] - 1
    truths = {
        "mean": pooled(everything[0]),
        "class": float(tally_scores(everything[0].sum(axis=0)).dice[label]),
        "images": float(np.nanmean(tally_scores(everything[0]).dice[:, label])),
    }
    held: dict[str, list[float]] = {f"{name}{kind}": [] for name in truths for kind in ("", " pct")}
    widths: dict[str, list[float]] = {name: [] for name in held}
    none = 0
    for _ in range(data_sets):
        (tallies,), cases = draw(rng, scene, number)
        ends = score_intervals(tallies, cases)
        sums = add_by_case(tallies, cases)
        values = tally_scores(tallies).dice[:, label]
        defined = ~np.isnan(values)
        means = np.stack([np.where(defined, values, 0), defined], axis=-1)
        found = {
            "mean": ends.mean_dice,
            "class": ends.dice[:, label],
            "images": mean_interval(values, cases),
            "mean pct": percentiles(rng, sums, lambda t: tally_scores(t).mean_dice),
            "class pct": percentiles(rng, sums, lambda t: tally_scores(t).dice[:, label]),
            "images pct": percentiles(
                rng, add_by_case(means, cases), lambda m: ratio(m[:, 0], m[:, 1])
            ),
        }
        none += np.isnan(found["class"]).any()
        # Where a class is missing, the mean is that of the others, and no estimate of this one.
        missing = not sums[:, 0, label].any()
        for name, (low, high) in found.items():
            if not np.isnan(low) and not (missing and name.startswith("mean")):
                held[name].append(low <= truths[name.removesuffix(" pct")] <= high)
                widths[name].append(high - low)
    return {
        "cases": number,
        "covered": {n: round(float(np.mean(v)), 3) for n, v in held.items() if v},
        "width": {n: round(float(np.median(v)), 3) for n, v in widths.items() if v},
        "no_interval": round(none / data_sets, 3),
    }


def told_apart(number: int, data_sets: int, seed: int) -> dict[str, object]:
    """Share of equal models that are called different, clustered cases, one in ten failing."""
    rng = np.random.default_rng([seed, number, 1])
    shares = {}
    for name, scene in (("clustered", SCENES["clustered"]), ("failing", SCENES["failing"])):
        told = 0
        for _ in range(data_sets):
            (a, b), cases = draw(rng, scene, number, models=2)
            told += paired_difference(a, b, cases, swaps=1000).sign("mean_dice") != 0
        shares[name] = round(told / data_sets, 4)
    return {"cases": number, "called_different": shares}


def decisions(number: int, apart: float, data_sets: int, seed: int) -> dict[str, object]:
    """Coverage of decision scores of cases whose classes are normal, `apart` deviations."""
    rng = np.random.default_rng([seed, number, 2])
    truths = {
        "roc_auc": float(ndtr(apart / np.sqrt(2))),
        "binary_accuracy": float(ndtr(apart / 2)),
        "sensitivity": float(ndtr(apart / 2)),
    }
    held: dict[str, list[bool]] = {name: [] for name in truths}
    for _ in range(data_sets):
        labels = np.arange(number) % 2
        chances = expit(rng.normal(apart * (labels - 0.5)))
        ends = decision_intervals(labels, chances, [str(case) for case in range(number)])
        for name, truth in truths.items():
            if not np.isnan(ends[name]).any():
                held[name].append(bool(ends[name][0] <= truth <= ends[name][1]))
    return {
        "cases": number,
        "true": {name: round(value, 3) for name, value in truths.items()},
        "covered": {name: round(float(np.mean(v)), 3) for name, v in held.items() if v},
    }


def main(
    data_sets: Annotated[int, typer.Option(help="Drawn for each number of cases.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of everything.")] = 0,
) -> None:
    for name, scene in SCENES.items():
        for number in scene.numbers:
            found = coverage(scene, number, data_sets, seed)
            print(json.dumps({"scene": name, **found}), flush=True)
    for number in (6, 8, 10, 25):
        print(json.dumps(told_apart(number, data_sets, seed)), flush=True)
    for apart in (1.0, 2.5, 4.0):
        for number in (10, 25, 60):
            print(json.dumps(decisions(number, apart, data_sets, seed)), flush=True)


if __name__ == "__main__":
    typer.run(main)
