"""Which of several cross-validated plans to take, with the reason, and the files that say so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.api.fold_scores import Folds, mean_scores
from maskwright.errors import DataError
from maskwright.evaluation.reports.formatting import number, span, write_json
from maskwright.imageio import write_text
from maskwright.metrics import Paired, paired_difference
from maskwright.metrics.paired import shared_level, verdict
from maskwright.planning.plan import comment
from maskwright.tasks.semantic.evaluation.scores import background_of

CHOICE_FILE = "choice.json"
"""Name of the scores of all plans, in the folder of a comparison."""

_SCORE = "foreground_dice"

Pairs = Mapping[tuple[str, str], Paired]


@dataclass(frozen=True, eq=False)
class PlanChoice:
    """Several plans, what their models make of images they never saw, and the one to take.

    Args:
        folder: With `plans/NAME`, `choice.json` and `plan.yaml`.
        folds: Cross-validation of each plan, by its name.
        table: What `choice.json` holds.
    """

    folder: Path
    folds: Mapping[str, Folds]
    chosen: str
    reason: str
    table: Mapping[str, Any]


def choose_plan(
    out: Path, results: Mapping[str, Folds], files: Mapping[str, Path], folds: int, minutes: float
) -> PlanChoice:
    """Compare all pairs, take one, write it down."""
    pairs = _pairs(results)
    names = list(results)
    chosen = names[0]
    for rival in names[1:]:
        if pairs[chosen, rival].sign(_SCORE) < 0:
            chosen = rival
    reason = _reason(names, chosen, pairs)
    lines = [
        f"Chosen of {len(names)} plans, each trained for {minutes:.3g} minutes on the same {folds} "
        f"folds, by foreground Dice (95 % interval) on images that the models never saw:"
    ]
    for name, result in results.items():
        interval = span(getattr(result.out_of_fold.intervals, _SCORE)) or "no interval"
        lines.append(f"{name}: {number(getattr(result.out_of_fold.total, _SCORE))} ({interval})")
    text = files[chosen].read_text(encoding="utf-8")
    write_text(out / "plan.yaml", "\n".join(map(comment, [*lines, reason])) + f"\n\n{text}")
    table = {
        "chosen": chosen,
        "reason": reason,
        "score": _SCORE,
        "names": names,
        "folds": folds,
        "minutes": minutes * len(results),
        "plans": [_plan_scores(name, result) for name, result in results.items()],
        "pairs": [_pair_scores(a, b, paired) for (a, b), paired in pairs.items()],
    }
    write_json(table, out / CHOICE_FILE)
    return PlanChoice(out, results, chosen, reason, table)


def _pairs(results: Mapping[str, Folds]) -> Pairs:
    """Differences of all pairs of plans on the images that both were scored on."""
    level = shared_level(len(results) - 1)
    places = {
        name: {sample.id: place for place, sample in enumerate(result.out_of_fold.samples)}
        for name, result in results.items()
    }
    pairs = {}
    for first, second in combinations(results, 2):
        a, b = results[first].out_of_fold, results[second].out_of_fold
        shared = [sample for sample in a.samples if sample.id in places[second]]
        if not shared:
            raise DataError(f"No image was scored with both {first} and {second}.")
        rows = [np.array([places[name][s.id] for s in shared]) for name in (first, second)]
        cases = [sample.together for sample in shared]
        tallies = a.tallies[rows[0]], b.tallies[rows[1]]
        pairs[first, second] = paired_difference(
            *tallies, cases, background=background_of(a.card), level=level
        )
    return pairs


def _reason(names: Sequence[str], chosen: str, pairs: Pairs) -> str:
    """Sentence on why a plan is the one to take."""
    first, gains = names[0], []
    for rival in names[1:]:
        paired = pairs[first, rival]
        gain, ends = -getattr(paired.gain, _SCORE), -getattr(paired.ends, _SCORE)[::-1]
        width = span(ends, signed=True)
        interval = f", {100 * paired.level:.4g} % {width}" if width else ""
        gains.append(f"{rival} {number(gain, signed=True)}{interval}")
    against = f"Gains over {first}: {'; '.join(gains)}."
    if chosen == first:
        return f"Taken: {first}, the first, because no other is shown to be better. {against}"
    return f"Taken: {chosen}, which is better than what was taken before it. {against}"


def _plan_scores(name: str, result: Folds) -> dict[str, Any]:
    scored = result.out_of_fold
    return {
        "name": name,
        "folder": f"plans/{name}",
        **mean_scores(scored.total),
        "intervals": mean_scores(scored.intervals),
        "images": len(scored.samples),
        "cases": scored.num_cases,
    }


def _pair_scores(a: str, b: str, paired: Paired) -> dict[str, Any]:
    gains, ends, chances = map(mean_scores, (paired.gain, paired.ends, paired.p))
    differences = {
        key: {
            "difference": gains[key],
            "interval": ends[key],
            "p": chances[key],
            "verdict": verdict(paired.sign(key), a, b),
        }
        for key in gains
    }
    return {"a": a, "b": b, "level": paired.level, **differences}
