"""Parts of a report from numbers: cells, bars, cards and confusion matrices."""

from collections.abc import Sequence

import numpy as np

from maskwright.evaluation.reports.formatting import number, span
from maskwright.evaluation.reports.parts import Card, Matrix, MatrixCell, TableCell
from maskwright.evaluation.result import Evaluation

_DENSE_FROM = 6  # classes from which the cells of a confusion matrix are made small
_DARK_SHARE = 0.55  # of a cell, from which its number is written in the color of the page

NO_INTERVAL = np.full(2, np.nan)


def cell(value: float | np.ndarray, ends: np.ndarray = NO_INTERVAL) -> TableCell:
    """Cell with a score and its interval."""
    return TableCell(number(value), span(ends))


def card(
    title: str,
    value: float | np.ndarray,
    ends: np.ndarray,
    aside: tuple[str, str, str] | None = None,
) -> Card:
    """Card with a score and its interval."""
    return Card(title, number(value), span(ends), aside)


def gauge(value: float | np.ndarray, ends: np.ndarray = NO_INTERVAL) -> tuple[str, str, str] | None:
    """Bar of a score in [0, 1] with its interval, in percent; `None` where it is not defined."""
    if np.isnan(value):
        return None
    low, high = ("" if np.isnan(ends).any() else f"{100 * end:.1f}%" for end in ends)
    return f"{100 * float(value):.1f}%", low, high


def confusion_matrix(
    title: str,
    note: str,
    counts: np.ndarray,
    names: Sequence[str],
    unit: str,
    show_counts: bool = False,
) -> Matrix:
    """Confusion matrix whose cells are shares of their row.

    Args:
        title: Heading.
        note: Below it.
        counts: True classes in rows, `(classes, classes)`.
        names: Of the classes.
        unit: What was counted, in the plural.
        show_counts: Whether counts stand below the shares.
    """
    dense = len(names) >= _DENSE_FROM
    rows = []
    for name, row in zip(names, counts, strict=True):
        total = row.sum()
        cells = []
        for other, count in zip(names, row, strict=True):
            share = count / max(total, 1)
            style = "full" if share > _DARK_SHARE else ""
            printed = f"{100 * share:.0f}" if dense else f"{share:.1%}"
            cells.append(
                MatrixCell(
                    printed if total else "-",
                    f"{share:.3f}",
                    f"true {name}, predicted {other}: {count:,} {unit}",
                    f"{count:,}" if show_counts else "",
                    style if count else "none",
                )
            )
        rows.append((name, tuple(cells)))
    return Matrix(title, note, tuple(names), tuple(rows), dense)


def upper_first(text: str) -> str:
    """Text whose first letter is a capital."""
    return text[:1].upper() + text[1:]


def model_settings(
    evaluation: Evaluation, method: str = "percentile bootstrap"
) -> dict[str, object]:
    """Entries of `Page.settings` that every task has: intervals and model."""
    card, options = evaluation.card, evaluation.options
    return {
        "Intervals": f"{method} over cases, {options.bootstrap} draws, seed {options.seed}",
        "Model": f"SHA-256 {card.model_sha256[:16]}, trained with Maskwright {card.version}",
    }


def model_input(size: tuple[int, int] | None, tile: int | None) -> str:
    """What a model is given of an image, from `size` and `tile` of its card."""
    if size is not None:
        return f"whole images resized to {size[0]} x {size[1]} px"
    return "images at their own scale" + (f" in tiles of {tile} px" if tile else "")


def interval_note(evaluation: Evaluation) -> str:
    """What the small type below a score is."""
    if not evaluation.draws:
        return "There are no intervals: a bootstrap needs more than one case."
    return "In small type, the 95\N{NO-BREAK SPACE}% interval of a bootstrap over cases."


def counted(number: int, unit: str) -> str:
    """A number with its unit, such as `1 case` and `1,200 cases`."""
    return f"{number:,} {unit}{'' if number == 1 else 's'}"
