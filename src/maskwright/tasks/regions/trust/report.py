"""What is shown of answers, their promises, and whether these hold."""

from typing import Any

import numpy as np

from maskwright.evaluation.reports.formatting import plain
from maskwright.evaluation.reports.parts import Column, Row, Table, TableCell
from maskwright.reliability.promises import percent, share_of_cases
from maskwright.tasks.regions.trust.answer_sets import REFER, AnswerPromise
from maskwright.tasks.regions.trust.record import AnswerTrust
from maskwright.tasks.regions.trust.verify import AnswerCheck, AnswerTrustCheck


def answer_promise_table(record: AnswerTrust) -> Table:
    """The promises that were made, what they rest on, and what they cost."""
    rows = [
        Row(
            title=_title(promise, masks, len(record.answers) > 1),
            cells=(
                TableCell(_asked(promise)),
                TableCell(f"{promise.n}"),
                TableCell(f"{promise.threshold:.3g}"),
                TableCell(_percent(promise.referred)),
            ),
        )
        for masks, sets in record.answers.items()
        for promise in sets.promises
    ]
    columns = (Column("In"), Column("Cases"), Column("Threshold"), Column("Referred"))
    return Table(
        title="Answers", first="Class", columns=columns, rows=tuple(rows), note=record.basis
    )


def answer_tables(check: AnswerTrustCheck | None) -> tuple[Table, ...]:
    """The promise of each class, what came of it, the share referred, and the verdict; nothing of a
    model without promises.
    """
    if check is None:
        return ()
    rows = [
        Row(
            title=_title(each.promise, each.masks, len(check.record.answers) > 1),
            cells=(
                TableCell(_asked(each.promise)),
                TableCell(f"{each.n}"),
                TableCell(_percent(each.covered), _span(each.covered_ends)),
                TableCell(_percent(each.referred), _span(each.referred_ends)),
                TableCell(each.verdict, style="wrong" if each.verdict == "not kept" else ""),
            ),
        )
        for each in check.answers
    ]
    table = Table(
        title="Answers",
        first="Class",
        columns=(
            Column("Promised"),
            Column("Cases", "cases", page_only=True),
            Column("Realized", "realized", interval=True),
            Column("Referred", "referred"),
            Column("Verdict", "verdict"),
        ),
        rows=tuple(rows),
        note=f"{check.record.basis} Realized is the share of the cases of a class whose answer is "
        f"the class or {REFER}; by chance: worse than promised, but no more than so many cases, "
        f"and so many calibration cases, leave open.",
    )
    return (table,)


def kept_answers_scores(check: AnswerTrustCheck) -> dict[str, Any]:
    """Plain values for scores.json."""
    return {
        "calibrated_on": {"data": check.record.data, "split": check.record.split},
        "answers": [_values(each) for each in check.answers],
    }


def _values(check: AnswerCheck) -> dict[str, Any]:
    return {
        "masks": check.masks,
        "class": check.promise.name,
        "promised": None if check.promise.level is None else 1 - check.promise.level,
        "threshold": check.promise.threshold,
        "cases": check.n,
        "realized": plain(check.covered),
        "interval": plain(check.covered_ends),
        "referred": plain(check.referred),
        "referred_interval": plain(check.referred_ends),
        "verdict": check.verdict,
    }


def _title(promise: AnswerPromise, masks: str, has_both: bool) -> str:
    return f"{promise.name}, {masks} masks" if has_both else promise.name


def _asked(promise: AnswerPromise) -> str:
    return "-" if promise.level is None else f"{share_of_cases(1 - promise.level)} cases"


def _percent(share: float) -> str:
    return "-" if np.isnan(share) else percent(round(float(share), 3))


def _span(ends: np.ndarray) -> str:
    return "" if np.isnan(ends).any() else f"{100 * ends[0]:.3g} to {_percent(ends[1])}"
