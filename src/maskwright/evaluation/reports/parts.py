"""`Report`: what is shown and written of an evaluation, the same for every task."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maskwright.evaluation.result import Evaluation
from maskwright.labels import Color

BASE_TEMPLATE = "evaluation/reports/report.html"
"""Template that those of the tasks extend."""


@dataclass(frozen=True)
class Score:
    """Definition of a score: one entry serves JSON, terminal and report.

    Args:
        key: Name in JSON, and of the attribute that holds it.
        title: Name in reports.
        short: Name in a terminal, where it must be shorter.
        interval: Whether it has a bootstrap interval.
        card: Whether the report shows it in large type.
    """

    key: str
    title: str
    short: str = ""
    interval: bool = False
    card: bool = False


@dataclass(frozen=True)
class TableCell:
    """A value as it is printed, its interval, and a CSS class."""

    text: str = ""
    interval: str = ""
    style: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a table.

    Args:
        title: First cell.
        cells: The others.
        short: Title in a terminal; empty for the same.
        note: Below the title, in small type.
        gauge: From `gauge`: length of a bar and ends of its interval; `None` for no bar.
        color: Of a square before the title.
        total: Whether the row sums up the others.
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
    """Heading of a column, its shorter form in a terminal, and whether that shows intervals."""

    title: str
    short: str = ""
    interval: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of a report; see `Row` and `Column`."""

    title: str
    first: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""
    tall: bool = False


@dataclass(frozen=True)
class MatrixCell:
    """Share of a row, as CSS takes it and as it is printed, with the text of its tooltip."""

    text: str
    share: str
    title: str
    count: str = ""
    style: str = ""


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix: true classes in rows; `dense` makes many classes fit."""

    title: str
    note: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[MatrixCell, ...]], ...]
    dense: bool


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

    Args:
        settings: What a reader needs to measure the same again.
        cards: Scores in large type.
        matrices: Confusion matrices.
        charts: Charts, two side by side.
        heading: Title; `None` for model, data and split.
        overline: Kind of report, above the title.
        lead: Sentences after the summary.
        tables: Further tables.
        curves: Titles of the columns of `history.csv` that are plotted.
        template: Path of the template, from the root of the package.
        context: Variables that the template of the task takes besides.
        files: Further files: writers by file name.
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
    template: str = BASE_TEMPLATE
    context: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Callable[[Path], object]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What is shown and written of an evaluation.

    Args:
        evaluation: That is reported.
        summary: What was scored, such as `101 images of 40 cases`.
        table: Scores.
        scores: Of the task, as JSON holds them.
        cases: Headings and rows of a CSV file.
        page: Makes what only the HTML report shows.
        notes: Sentences below the table in a terminal.
        scores_file: Name of the JSON file.
        cases_file: Name of the CSV file.
    """

    evaluation: Evaluation
    summary: str
    table: Table
    scores: Mapping[str, Any]
    cases: tuple[Sequence[str], Sequence[Sequence[Any]]]
    page: Callable[[], Page]
    notes: tuple[str, ...] = ()
    scores_file: str = "scores.json"
    cases_file: str = "cases.csv"
