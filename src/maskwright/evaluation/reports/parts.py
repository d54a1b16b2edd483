"""`Report`: what is shown and written of an evaluation, the same for every task."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.evaluation.reports.formatting import number, span
from maskwright.evaluation.result import Evaluation
from maskwright.labels import Color
from maskwright.metrics.intervals import FEWEST_CASES

NO_INTERVAL = np.full(2, np.nan)
INTERVALS = "jackknife over cases, Student's t on the logit scale"


@dataclass(frozen=True)
class Score:
    """Definition of a score: one entry serves JSON, terminal and report.

    `key` is its name in JSON and the attribute that holds it, `short` its title in a terminal where
    that must be shorter; `card` shows it in large type.
    """

    key: str
    title: str
    short: str = ""
    interval: bool = False
    card: bool = False


@dataclass(frozen=True)
class TableCell:
    """A value as it is printed, its interval, a CSS class, and the numbers of a score."""

    text: str = ""
    interval: str = ""
    style: str = ""
    value: float = field(default=math.nan, compare=False)
    ends: tuple[float, float] = field(default=(math.nan, math.nan), compare=False)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a table: `title` is its first cell, `note` stands below it in small type.

    `short` is the title in a terminal, where it differs, `color` that of a square before the title,
    `total` whether the row sums up the others.
    """

    title: str
    cells: tuple[TableCell, ...]
    short: str = ""
    note: str = ""
    gauge: tuple[str, str, str] | None = None
    color: Color | None = None
    total: bool = False


@dataclass(frozen=True)
class Column:
    """Heading of a column, its shorter form in a terminal, and whether that shows intervals.

    `page_only` columns are left out in a terminal, which has room for 80 characters.
    """

    title: str
    short: str = ""
    interval: bool = False
    page_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of a report; `first` is the heading of the titles of its rows."""

    title: str
    first: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""
    tall: bool = False


@dataclass(frozen=True, eq=False)
class Matrix:
    """A confusion matrix of true (rows) and predicted classes, shown as shares of its rows.

    `unit` is what was counted, in the plural; `show_counts` writes counts below the shares.
    """

    title: str
    note: str
    counts: np.ndarray
    names: Sequence[str]
    unit: str
    show_counts: bool = False


@dataclass(frozen=True)
class Card:
    """A score in large type, its interval, and a second one beside it: name, value, interval."""

    title: str
    value: str
    interval: str
    aside: tuple[str, str, str] | None = None


@dataclass(frozen=True)
class Chart:
    """A chart as SVG, with a heading and a note."""

    title: str
    note: str
    svg: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """What only the HTML report shows.

    `heading` is the title, `None` for model, data and split; `overline` stands above it, `lead`
    after the summary. `curves` are titles of the columns of `history.csv` that are plotted,
    `legends` lines of colors and names above the examples, `files` writers of further files by
    name.
    """

    settings: Mapping[str, Any]
    cards: tuple[Card, ...] = ()
    matrices: tuple[Matrix, ...] = ()
    charts: tuple[Chart, ...] = ()
    heading: str | None = None
    overline: str = "Maskwright evaluation"
    lead: str = ""
    tables: tuple[Table, ...] = ()
    curves: Mapping[str, str] = field(default_factory=dict)
    legends: tuple[Sequence[tuple[Color, str]], ...] = ()
    examples_note: str = ""
    files: Mapping[str, Callable[[Path], object]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What is shown and written of an evaluation.

    `summary` tells what was scored, such as `101 images of 40 cases`; `cases` are headings and rows
    of a CSV file; `page` makes what only the HTML report shows; `notes` stand below the table in a
    terminal, and then `further_tables`, which the page has among its own.
    """

    evaluation: Evaluation
    summary: str
    table: Table
    scores: Mapping[str, Any]
    cases: tuple[Sequence[str], Sequence[Sequence[Any]]]
    page: Callable[[], Page]
    notes: tuple[str, ...] = ()
    further_tables: tuple[Table, ...] = ()
    scores_file: str = "scores.json"
    cases_file: str = "cases.csv"


def cell(value: float | np.ndarray, ends: np.ndarray = NO_INTERVAL) -> TableCell:
    """Cell with a score and its interval."""
    low, high = ends.tolist()
    return TableCell(number(value), span(ends), value=float(value), ends=(low, high))


def gauge(value: float | np.ndarray, ends: np.ndarray = NO_INTERVAL) -> tuple[str, str, str] | None:
    """Bar for a score in [0, 1]: length and ends of its interval in percent; `None` for nan."""
    if np.isnan(value):
        return None
    low, high = ("" if np.isnan(ends).any() else f"{100 * end:.1f}%" for end in ends)
    return f"{100 * float(value):.1f}%", low, high


def upper_first(text: str) -> str:
    """Text whose first letter is a capital."""
    return text[:1].upper() + text[1:]


def model_settings(evaluation: Evaluation, method: str = INTERVALS) -> dict[str, object]:
    """Entries of `Page.settings` that every task has: intervals and model."""
    card = evaluation.card
    return {
        "Intervals": method,
        "Model": f"SHA-256 {card.model_sha256[:16]}, trained with Maskwright {card.version}",
    }


def model_input(size: tuple[int, int] | None, tile: int | None) -> str:
    """What a model is given of an image, from `size` and `tile` of its card."""
    if size is not None:
        return f"whole images resized to {size[0]} x {size[1]} px"
    return "images at their own scale" + (f" in tiles of {tile} px" if tile else "")


def interval_note(evaluation: Evaluation) -> str:
    """What the small type below a score is."""
    if evaluation.num_cases < FEWEST_CASES:
        return f"There are no intervals: they need {FEWEST_CASES} cases."
    return (
        f"In small type, the 95\N{NO-BREAK SPACE}% interval over cases; there is none where fewer "
        f"than {FEWEST_CASES} cases hold a class."
    )
