"""Which of several cross-validated plans to take, with the reason, and the files that say so."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maskwright.api.fold_scores import Folds
from maskwright.errors import DataError
from maskwright.imageio import write_text

if TYPE_CHECKING:
    from maskwright.metrics import Paired

CHOICE_FILE = "choice.json"
"""Name of the scores of all plans, in the folder of a comparison."""

_SCORE = "mean_dice"
_COLUMNS = 100


@dataclass(frozen=True, eq=False)
class PlanChoice:
    """Several plans, what their models make of images they never saw, and the one to take.

    Args:
        folder: With `plans/NAME`, `choice.json` and `plan.yaml`.
        folds: Cross-validation of each plan, by its name.
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
    from maskwright.evaluation.reports.formatting import number, span, write_json
    from maskwright.metrics import sign_shown

    pairs = _pairs(results)
    names = list(results)
    chosen = names[0]
    for rival in names[1:]:
        if sign_shown(getattr(pairs[chosen, rival].ends, _SCORE)) < 0:
            chosen = rival
    reason = _reason(names, chosen, pairs)
    scores = []
    for name, result in results.items():
        total, ends = result.out_of_fold.total, result.out_of_fold.intervals
        interval = span(getattr(ends, _SCORE)) or "no interval"
        scores.append(f"{name}: {number(getattr(total, _SCORE))} ({interval})")
    heading = (
        f"Chosen of {len(names)} plans, each trained for {minutes:.3g} minutes on the same {folds} "
        f"folds, by mean Dice (95 % interval) on images that the models never saw:"
    )
    comment = "\n".join(_comment(line) for line in (heading, *scores, reason))
    text = files[chosen].read_text(encoding="utf-8")
    write_text(out / "plan.yaml", f"{comment}\n\n{text}")
    table = _table(results, pairs, chosen, reason, folds, minutes)
    write_json(table, out / CHOICE_FILE)
    return PlanChoice(out, results, chosen, reason, table)


def _pairs(results: Mapping[str, Folds]) -> dict[tuple[str, str], "Paired"]:
    """Differences of all pairs of plans on the images that both were scored on."""
    from maskwright.metrics import paired_difference, shared_level

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
        pairs[first, second] = paired_difference(
            a.tallies[rows[0]], b.tallies[rows[1]], cases, draws=2000, level=level
        )
    return pairs


def _reason(names: Sequence[str], chosen: str, pairs: Mapping[tuple[str, str], "Paired"]) -> str:
    """Sentence on why a plan is the one to take."""
    from maskwright.evaluation.reports.formatting import change, span

    first, gains = names[0], []
    for rival in names[1:]:
        paired = pairs[first, rival]
        gain, ends = -getattr(paired.gain, _SCORE), -getattr(paired.ends, _SCORE)[::-1]
        width = span(ends, signed=True)
        interval = f", {100 * paired.level:.4g} % {width}" if width else ""
        gains.append(f"{rival} {change(gain)}{interval}")
    against = f"Gains over {first}: {'; '.join(gains)}."
    if chosen == first:
        return f"Taken: {first}, the first, because no other is shown to be better. {against}"
    return f"Taken: {chosen}, which is better than what was taken before it. {against}"


def _table(
    results: Mapping[str, Folds],
    pairs: Mapping[tuple[str, str], "Paired"],
    chosen: str,
    reason: str,
    folds: int,
    minutes: float,
) -> dict[str, Any]:
    """What `choice.json` holds."""
    from maskwright.evaluation.reports.formatting import plain
    from maskwright.metrics import verdict
    from maskwright.tasks.semantic.evaluation.scores import MEANS

    means = [mean.key for mean in MEANS]
    return {
        "chosen": chosen,
        "reason": reason,
        "score": _SCORE,
        "names": list(results),
        "folds": folds,
        "minutes": minutes * len(results),
        "plans": [
            {
                "name": name,
                "folder": f"plans/{name}",
                **{key: plain(getattr(result.out_of_fold.total, key)) for key in means},
                "intervals": {
                    key: plain(getattr(result.out_of_fold.intervals, key)) for key in means
                },
                "images": len(result.out_of_fold.samples),
                "cases": result.out_of_fold.num_cases,
            }
            for name, result in results.items()
        ],
        "pairs": [
            {
                "a": a,
                "b": b,
                "level": paired.level,
                **{
                    key: {
                        "difference": plain(getattr(paired.gain, key)),
                        "interval": plain(getattr(paired.ends, key)),
                        "verdict": verdict(getattr(paired.ends, key), a, b),
                    }
                    for key in means
                },
            }
            for (a, b), paired in pairs.items()
        ],
    }


def _comment(text: str) -> str:
    return "\n".join(textwrap.wrap(text, _COLUMNS, initial_indent="# ", subsequent_indent="#   "))
