"""One terminal table, one `scores.json`, one `cases.csv` and one `report.html` for every task.

The report is one HTML file that loads nothing from elsewhere, by Jinja2 templates.
"""

import base64
import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table as TerminalTable

from maskwright.evaluation.reports.charts import training_curves
from maskwright.evaluation.reports.formatting import write_json
from maskwright.evaluation.reports.parts import Report, Table, interval_note, upper_first
from maskwright.evaluation.result import Example
from maskwright.imageio import make_folder, write_table, write_text
from maskwright.metrics.intervals import FEWEST_CASES

if TYPE_CHECKING:
    from jinja2 import Template


def to_dict(report: Report) -> dict[str, Any]:
    """Plain values as `scores.json` holds them; a score that is not defined is `None`."""
    evaluation = report.evaluation
    return {
        "split": evaluation.split,
        "images": len(evaluation.samples),
        "cases": evaluation.num_cases,
        "level": 0.95,
        "skipped": [
            {"id": skip.sample.id, "image": str(skip.sample.image), "reason": skip.reason}
            for skip in evaluation.skipped
        ],
        "warnings": [asdict(caution) for caution in evaluation.warnings],
        "data": str(evaluation.data),
        "model_sha256": evaluation.card.model_sha256,
        "date": evaluation.date,
        **report.scores,
    }


def terminal_tables(report: Report) -> list[TerminalTable]:
    """`terminal_table`, and the further tables that were asked for."""
    return [terminal_table(report), *(draw_table(t, t.title, []) for t in report.further_tables)]


def terminal_table(report: Report) -> TerminalTable:
    """Scores with 95 % intervals, narrow enough for a terminal of 80 columns."""
    evaluation, table = report.evaluation, report.table
    notes = [*report.notes, *(caution.text for caution in evaluation.warnings)]
    asked = any(column.interval for column in table.columns)
    codes = {caution.code for caution in evaluation.warnings}
    told = "few_cases" in codes and evaluation.num_cases < FEWEST_CASES
    if asked and not told and not _has_intervals(table):
        notes.append(interval_note(evaluation))
    return draw_table(table, f"{evaluation.split}: {report.summary}", notes)


def _has_intervals(table: Table) -> bool:
    return any(cell.interval for row in table.rows for cell in row.cells)


def draw_table(table: Table, title: str, notes: Sequence[str]) -> TerminalTable:
    """A table for a terminal, with notes below it."""
    with_intervals = _has_intervals(table)
    shown = TerminalTable(
        title=escape(title),
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        caption=escape("\n".join(notes)) or None,
        caption_justify="left",
    )
    # Names of classes and verdicts may wrap, numbers may not.
    shown.add_column(table.first.lower(), min_width=14)
    for place, column in enumerate(table.columns):
        if column.page_only:
            continue
        is_number = all(" " not in row.cells[place].text for row in table.rows)
        shown.add_column(column.short or column.title, justify="right", no_wrap=is_number)
        if column.interval and with_intervals:
            shown.add_column("95 %", justify="right", no_wrap=True)
    for place, row in enumerate(table.rows):
        cells = [escape(row.short or row.title)]
        for column, cell in zip(table.columns, row.cells, strict=True):
            if column.page_only:
                continue
            cells.append(escape(cell.text))
            if column.interval and with_intervals:
                cells.append(cell.interval)
        following = table.rows[place + 1 : place + 2]
        shown.add_row(*cells, end_section=any(after.total > row.total for after in following))
    return shown


def write_report(report: Report, folder: str | Path, run: str | Path | None = None) -> Path:
    """Write scores as JSON, a line for each case as CSV, and the HTML report.

    `run` is the folder of the run, for the curves of its `history.csv` and the settings of its
    `plan.yaml` where they exist. Returns the path of the HTML report.
    """
    folder, run = Path(folder), None if run is None else Path(run)
    make_folder(folder)
    write_json(to_dict(report), folder / report.scores_file)
    headings, rows = report.cases
    write_table(folder / report.cases_file, headings, rows)
    page, evaluation = report.page(), report.evaluation
    for name, write in page.files.items():
        write(folder / name)
    model = run.name if run else "Model"
    text = _template().render(
        report=report,
        page=page,
        evaluation=evaluation,
        heading=page.heading or f"{model} on {evaluation.data.name}, {evaluation.split} split",
        run=run,
        curves=_curves(run, page.curves),
        run_settings=_read(run, "plan.yaml"),
    )
    write_text(folder / "report.html", text)
    return folder / "report.html"


@cache
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("maskwright", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(by_rank=_by_rank, data_uri=_data_uri, upper_first=upper_first)
    return environment.get_template("evaluation/reports/report.html")


def _by_rank(examples: Iterable[Example]) -> list[tuple[str, list[Example]]]:
    """Neighbors of one rank together; unlike Jinja's `groupby`, without sorting."""
    return [(rank, list(group)) for rank, group in groupby(examples, attrgetter("rank"))]


def _data_uri(picture: np.ndarray) -> str:
    """Picture uint8 RGB `(h, w, 3)` as an address that holds it."""
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, format="WEBP", quality=88)
    return f"data:image/webp;base64,{base64.b64encode(encoded.getvalue()).decode()}"


def _curves(run: Path | None, titles: Mapping[str, str]) -> list[tuple[str, str]]:
    """Titles and charts of the columns of `history.csv` that are there."""
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(_read(run, "history.csv"))))
    charts = []
    for name, title in titles.items():
        series = {
            label: [(float(row["epoch"]), float(row[key])) for row in rows if row.get(key)]
            for label, key in (("training", name), ("validation", f"val_{name}"))
        }
        if svg := training_curves(series, title):
            charts.append((title, svg))
    return charts


def _read(run: Path | None, name: str) -> str:
    """Text of a file of the run; empty where there is none."""
    path = None if run is None else run / name
    return path.read_text(encoding="utf-8") if path is not None and path.is_file() else ""
