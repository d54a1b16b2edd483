"""What a report tells of promises: whether other images keep them, and doubts about masks."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from maskwright.data.samples import counted
from maskwright.evaluation.reports.formatting import number, plain
from maskwright.evaluation.reports.parts import Chart, Column, Table, TableCell
from maskwright.evaluation.reports.promises import (
    promise_basis,
    promise_rows,
    promised,
    promises_table,
    share_promised,
)
from maskwright.evaluation.reports.trust_charts import expected_dice_chart, risk_coverage_chart
from maskwright.evaluation.result import Caution
from maskwright.reliability.accept_rule import risk_coverage
from maskwright.reliability.familiarity import FLAGGED
from maskwright.reliability.promises import REACH, percent
from maskwright.reliability.verification import PromiseCheck, QualityCheck, TrustCheck

_MOST_CLASSES = 4  # in a chart
_STYLES = {"not kept": "wrong"}


def kept_table(check: TrustCheck) -> Table:
    """Each promise about masks, what came of it, and the verdict."""
    return check_table(check.promises, promised, promise_basis(check.record))


def check_table(checks: Sequence[Any], title_of: Callable[[Any], str], basis: str) -> Table:
    """What came of promises of one kind.

    Args:
        checks: `PromiseCheck`s, or what has the same fields.
        title_of: What a promise wants to be small, after `at most`.
        basis: A sentence on what all promises rest on.
    """
    made = [
        (
            each.promise,
            (
                TableCell(f"{each.n}"),
                TableCell(*_realized(each)),
                TableCell(each.verdict, style=_STYLES.get(each.verdict, "")),
            ),
        )
        for each in checks
    ]
    return promises_table(
        promise_rows(made, title_of),
        (
            Column("Number", page_only=True),
            Column("Realized", "realized", interval=True),
            Column("Verdict", "verdict"),
        ),
        f"{basis} Realized is the share missed or false, on average, or the share of the cases in "
        f"which it is not more; by chance: worse than promised, but no more than so many cases, "
        f"and so many calibration cases, leave open.",
    )


def _realized(check: Any) -> tuple[str, str]:
    """Share that was promised, and its interval, in percent."""
    value, ends = check.realized, check.ends
    if check.promise.request.tau is not None:  # the share of the cases that keep it
        value, ends = 1 - value, 1 - ends[::-1]
    return _percent(value), _span(ends)


def kept_notes(check: TrustCheck) -> list[str]:
    """Sentences on single masks and images."""
    notes = [f"Promises: {promise_basis(check.record)[0].lower()}{promise_basis(check.record)[1:]}"]
    for name, quality in check.quality.items():
        if not np.isnan(quality.above).any():
            known = check.record.classes[name]
            notes.append(
                f"Of {counted(len(quality.dice), 'mask')} of {name}, {_shares(quality.above)} have "
                f"at least the lower bound of their Dice, {percent(1 - known.bound_level)} were "
                f"promised; the rank correlation of expected and true Dice is "
                f"{number(quality.correlation)} (Spearman); {REACH}."
            )
        if quality.rule is not None and quality.accepted is not None:
            told = "" if np.isnan(quality.bad[0]) else f", {_shares(quality.bad)} of them have"
            told = told and f"{told} a Dice below {quality.rule.need:g}"
            notes.append(
                f"{_percent(quality.accepted)} of the masks of {name} are accepted"
                f"{told}, at most {percent(quality.rule.level)} were promised; {REACH}."
            )
    if check.familiarity is not None:
        notes.append(
            f"{_shares(check.familiarity.flagged)} of {len(check.familiarity.p_values)} images are "
            f"flagged as unlike the training images, of images like the calibration images "
            f"{percent(FLAGGED)} would be."
        )
    return notes


def kept_cautions(check: TrustCheck) -> list[Caution]:
    """Whether promises were broken, or may not reach so far."""
    cautions = []
    broken = [each for each in check.promises if each.verdict == "not kept"]
    if broken:
        first = broken[0].promise
        text = (
            f"{counted(len(broken), 'promise')} of {len(check.promises)} "
            f"{'is' if len(broken) == 1 else 'are'} not kept, such as that of at most "
            f"{share_promised(first)} of {first.request.class_name}: these images are not "
            f"like those of the calibration, or it was unlucky; calibrate on images like these."
        )
        cautions.append(Caution("promises", text))
    familiarity = check.familiarity
    if familiarity is not None and familiarity.is_shifted:
        text = (
            f"{_shares(familiarity.flagged)} of the images are unlike the training images, more "
            f"than chance allows (p = {familiarity.shift:.2g}): promises do not reach so far."
        )
        cautions.append(Caution("unfamiliar", text))
    return cautions


def kept_charts(check: TrustCheck) -> tuple[Chart, ...]:
    """Risk-coverage curve, and expected against true Dice."""
    shown = dict(list(check.quality.items())[:_MOST_CLASSES])
    if not shown:
        return ()
    areas = ", ".join(
        f"{name} {number(q.aurc)} (in random order {number(q.random_aurc)})"
        for name, q in shown.items()
    )
    return (
        Chart(
            "Risk and coverage",
            "How bad accepted masks are on average, if those of the highest expected Dice are "
            f"accepted first; dotted, all masks. Area under the curve: {areas}.",
            risk_coverage_chart(
                {name: risk_coverage(q.expected, q.dice) for name, q in shown.items()}
            ),
        ),
        Chart(
            "Expected and true Dice",
            "Each dot is a mask; the line is the lower bound, below which few were promised to be.",
            expected_dice_chart({name: (q.expected, q.dice, q.bound) for name, q in shown.items()}),
        ),
    )


def kept_scores(check: TrustCheck) -> dict[str, Any]:
    """Plain values for scores.json."""
    familiarity = check.familiarity
    return {
        "calibrated_on": {"data": check.record.data, "split": check.record.split},
        "promises": [_promise_values(each) for each in check.promises],
        "quality": {name: _quality_values(each) for name, each in check.quality.items()},
        "unfamiliar": familiarity
        and {"flagged": _triple(familiarity.flagged), "shift_p_value": familiarity.shift},
    }


def _promise_values(check: PromiseCheck) -> dict[str, Any]:
    return {
        **vars(check.promise.request),
        "threshold": check.promise.threshold,
        "sentence": check.promise.sentence,
        "cases": check.n,
        "realized": plain(check.realized),
        "interval": plain(check.ends),
        "verdict": check.verdict,
    }


def _quality_values(check: QualityCheck) -> dict[str, Any]:
    values: dict[str, Any] = {
        "masks": len(check.dice),
        "above_bound": _triple(check.above),
        "spearman": plain(check.correlation),
        "aurc": plain(check.aurc),
        "aurc_random": plain(check.random_aurc),
    }
    if check.rule is not None:
        values |= {"accepted": check.accepted, "accepted_bad": _triple(check.bad)}
    return values


def _triple(values: np.ndarray) -> dict[str, Any]:
    return {"share": plain(values[0]), "interval": plain(values[1:])}


def _shares(values: np.ndarray) -> str:
    """Share with its interval, `4.1 % (2 to 7.9 %)`."""
    return _percent(values[0]) + (f" ({_span(values[1:])} %)" if _span(values[1:]) else "")


def _percent(share: float) -> str:
    return "-" if np.isnan(share) else f"{100 * share:.1f} %"


def _span(ends: np.ndarray) -> str:
    """Interval in percent, empty where there is none."""
    if np.isnan(ends).any():
        return ""
    return f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}"
