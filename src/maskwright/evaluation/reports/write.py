"""One terminal table, one `scores.json`, one `cases.csv` and one `report.html` for every task."""

from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table as TerminalTable

from maskwright.evaluation.reports.formatting import write_json, write_rows
from maskwright.evaluation.reports.parts import Report


def to_dict(report: Report) -> dict[str, Any]:
    """Plain values as `scores.json` holds them; a score that is not defined is `None`."""
    evaluation = report.evaluation
    return {
        "split": evaluation.split,
        "images": len(evaluation.samples),
        "cases": evaluation.num_cases,
        "level": 0.95,
        "draws": evaluation.options.bootstrap,
        "seed": evaluation.options.seed,
        "skipped": [
            {"id": skip.sample.id, "image": str(skip.sample.image), "reason": skip.reason}
            for skip in evaluation.skipped
        ],
        "warnings": [caution.to_dict() for caution in evaluation.warnings],
        "data": str(evaluation.data),
        "model_sha256": evaluation.card.model_sha256,
        "date": evaluation.date,
        **report.scores,
    }


def terminal_table(report: Report) -> TerminalTable:
    """Scores with 95 % intervals, narrow enough for a terminal of 80 columns."""
    evaluation, table = report.evaluation, report.table
    notes = [*report.notes, *(caution.text for caution in evaluation.warnings)]
    shown = TerminalTable(
        title=escape(f"{evaluation.split}: {report.summary}"),
        box=SIMPLE_HEAD,
        pad_edge=False,
        caption=escape("\n".join(notes)),
        caption_justify="left",
    )
    # Names of classes and verdicts may wrap, numbers may not.
    shown.add_column(table.first.lower(), min_width=14)
    for place, column in enumerate(table.columns):
        is_number = all(" " not in row.cells[place].text for row in table.rows)
        shown.add_column(column.short or column.title, justify="right", no_wrap=is_number)
        if column.interval:
            shown.add_column("95 %", justify="right", no_wrap=True)
    for place, row in enumerate(table.rows):
        cells = [escape(row.short or row.title)]
        for column, cell in zip(table.columns, row.cells, strict=True):
            cells += [escape(cell.text)] + ([cell.interval] if column.interval else [])
        following = table.rows[place + 1 : place + 2]
        shown.add_row(*cells, end_section=any(after.total > row.total for after in following))
    return shown


def write_report(report: Report, folder: str | Path, run: str | Path | None = None) -> Path:
    """Write scores as JSON, a line for each case as CSV, and the HTML report.

    `run` is the folder of the run, for the curves of its `history.csv` and the settings of its
    `plan.yaml` where they exist. Returns the path of the HTML report.
    """
    from maskwright.evaluation.reports.render import render

    folder, run = Path(folder), None if run is None else Path(run)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(to_dict(report), folder / report.scores_file)
    write_rows(*report.cases, folder / report.cases_file)
    page = report.page()
    for name, write in page.files.items():
        write(folder / name)
    return render(report, page, folder / "report.html", run)
