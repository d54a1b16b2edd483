"""Scores as a notebook shows them: a table, and a figure of bars."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from maskwright.display.html import listed, swatch, table
from maskwright.display.mathtext import plain_text
from maskwright.display.notebook import View
from maskwright.errors import ConfigError
from maskwright.evaluation.reports.parts import Report, TableCell
from maskwright.evaluation.reports.write import write_report
from maskwright.evaluation.result import Evaluation

if TYPE_CHECKING:
    from maskwright.display.figures import NotebookFigure

Scored = TypeVar("Scored", bound=Evaluation)

_ROW_IN = 0.32


def publish(
    report_of: Callable[[Scored], Report],
    evaluation: Scored,
    folder: str | Path,
    run: str | Path | None = None,
) -> Scored:
    """Write the report as `write_report`, and give the evaluation as a notebook shows it."""
    page = write_report(report_of(evaluation), folder, run)
    view = View(partial(_scores_html, report_of, page), partial(_plot_scores, report_of))
    return replace(evaluation, view=view)


def _scores_html(report_of: Callable[[Scored], Report], page: Path, evaluation: Scored) -> str:
    """Summary, table, warnings, and where the report is."""
    report = report_of(evaluation)
    headings = [report.table.first, *(column.title for column in report.table.columns)]
    rows = [
        [swatch(row.title, row.color) if row.color else escape(row.title), *map(_cell, row.cells)]
        for row in report.table.rows
    ]
    warnings = [caution.text for caution in evaluation.warnings]
    title = f"{evaluation.data.name}, {evaluation.split} split: {report.summary}"
    return (
        f"<div><b>{escape(title)}</b>{table(rows, list(map(escape, headings)))}"
        f"{listed('warnings', warnings)}{escape(f'Report: {page}')}</div>"
    )


def _cell(cell: TableCell) -> str:
    return escape(cell.text) + (f"<br><small>{escape(cell.interval)}</small>" * bool(cell.interval))


def _plot_scores(report_of: Callable[[Scored], Report], evaluation: Scored) -> "NotebookFigure":
    """Bars of the first column of scores, with intervals, as a figure of Matplotlib."""
    from maskwright.display.figures import NotebookFigure

    shown = report_of(evaluation).table
    rows = [row for row in shown.rows if row.cells and math.isfinite(row.cells[0].value)]
    if not rows:
        raise ConfigError("Expected scores to plot; none of these is defined.")
    figure = NotebookFigure(figsize=(6.4, 1.0 + _ROW_IN * len(rows)), layout="constrained")
    axes = figure.subplots()
    cells = [row.cells[0] for row in rows]
    values = np.array([each.value for each in cells])
    ends = np.array([each.ends for each in cells])
    ends = np.where(np.isnan(ends), values[:, None], ends)
    colors = [np.divide(row.color, 255) if row.color else "0.5" for row in rows]
    errors = np.abs(ends - values[:, None]).T
    axes.barh(range(len(rows)), values, color=colors, edgecolor="0.3", linewidth=0.5)
    axes.errorbar(values, range(len(rows)), xerr=errors, fmt="none", color="0.2", capsize=2)
    axes.set_yticks(range(len(rows)), [plain_text(row.title) for row in rows])
    axes.invert_yaxis()
    low, high = min(0.0, float(ends.min())), max(1.0, float(ends.max()))
    title = f"{evaluation.data.name}, {evaluation.split} split"
    axes.set(xlim=(low, high), xlabel=shown.columns[0].title, title=plain_text(title))
    axes.grid(axis="x", alpha=0.3)
    return figure
