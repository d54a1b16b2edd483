"""What reports of comparisons share, whatever their task: rows, tables and values of scores."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from maskwright.evaluation.reports.formatting import number, plain, span
from maskwright.evaluation.reports.parts import Column, Row, Table, TableCell

_RULE = (
    "In small type, the 95\N{NO-BREAK SPACE}% interval of the difference over cases. The first "
    "score decides: a model is called better where a difference as large is unlikely "
    "(p \N{LESS-THAN OR EQUAL TO} 0.05) if the predictions of the two are swapped within cases. "
    "The other verdicts are exploratory, and corrected for their number (Holm)."
)

Values = Sequence[Any]
"""Score of A, that of B, A's gain over B, and the ends of its interval, `(2,)`."""


def paired_entry(values: Values, chance: np.ndarray | float, verdict: str) -> dict[str, Any]:
    """One score of both models, their difference, its interval and the verdict, for JSON."""
    names = ("a", "b", "difference", "interval", "p")
    entry = {n: plain(value) for n, value in zip(names, (*values, chance), strict=True)}
    return entry | {"verdict": verdict}


def paired_row(title: str, values: Values, verdict: str) -> Row:
    """The same as a row of `paired_table`."""
    a, b, gain, ends = values
    difference = TableCell(number(gain, signed=True), span(ends, signed=True))
    cells = (TableCell(number(a)), TableCell(number(b)), difference, TableCell(verdict))
    return Row(title=title, cells=cells)


def paired_table(rows: Sequence[Row], before: str, after: str = "") -> Table:
    """Scores of two models, with a note on intervals and verdicts between two others."""
    columns = (Column("A"), Column("B"), Column("A - B", interval=True))
    return Table(
        title="Scores",
        first="Score",
        columns=(*columns, Column("Verdict", "verdict")),
        rows=tuple(rows),
        note=" ".join(part for part in (before, _RULE, after) if part),
    )
