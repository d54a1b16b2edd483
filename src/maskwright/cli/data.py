"""`maskwright check` and `maskwright convert`."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.markup import escape
from rich.table import Table
from typer import Exit, Option, echo

from maskwright.cli import options
from maskwright.cli.console import out, print_message
from maskwright.errors import one_line

if TYPE_CHECKING:
    from maskwright.data.audit.audit import AuditReport

_COLORS = {"error": "red", "warning": "yellow", "note": "cyan"}


def check(
    data: options.Data,
    sheet: Annotated[
        Path | None, Option(help="PNG file for a contact sheet of augmented images and masks.")
    ] = None,
    write: Annotated[
        bool, Option("--write", help="Write the inferred layout and classes to data.yaml.")
    ] = False,
    force: Annotated[
        bool, Option("--force", help="Let --write overwrite a data.yaml that is there.")
    ] = False,
    group_by: options.GroupBy = None,
    empty_is_background: Annotated[
        bool, Option("--empty-is-background", help="Images without a mask show background.")
    ] = False,
    strength: Annotated[
        str, Option("--augmentation", help="Augmentation strength of the contact sheet.")
    ] = "medium",
    as_json: options.Json = False,
) -> None:
    """Audit a data set; exit code 1 if it has errors."""
    from maskwright import api

    report = api.check(
        data,
        sheet=sheet,
        write=write,
        force=force,
        group_by=group_by,
        strength=strength,
        empty_is_background=empty_is_background,
    )
    if as_json:
        echo(json.dumps(report.to_dict()))
    else:
        _show(report)
    if report.written:
        print_message(f"Wrote {report.written}.")
    if sheet is not None:
        print_message(f"See {sheet}.")
    if not report.ok:
        raise Exit(1)


def convert(
    data: options.Data,
    out: Annotated[Path, Option("-o", "--out", help="New folder for the converted data set.")],
    to: Annotated[str, Option("--to", help="Format to write; an unknown one lists them all.")],
    ignored_as_background: Annotated[
        bool, Option("--ignored-as-background", help="Write ignored pixels as background.")
    ] = False,
) -> None:
    """Write a data set in another format, with copies of its images."""
    from maskwright import api

    folder = api.convert(
        data,
        out,
        to,
        ignored_as_background=ignored_as_background,
        on_message=print_message,
    )
    print_message(f"Converted to {to} in {folder}.")


def _show(report: "AuditReport") -> None:
    from maskwright.data.samples import counted

    console = out()
    console.print(f"[bold]{escape(one_line(report.source))}[/]: {escape(report.layout)}")
    for note in report.notes:
        console.print(f"  {escape(one_line(note.text))}")
    splits = list(report.splits)
    table = Table(title="Fraction of pixels (number of images)", title_justify="left")
    table.add_column("class")
    for split in splits:
        table.add_column(f"{split} ({counted(report.splits[split], 'image')})", justify="right")
    cells = {(c.name, c.split): f"{c.share:.2%} ({c.images})" for c in report.classes}
    for name in dict.fromkeys(c.name for c in report.classes):
        table.add_row(escape(name), *(cells.get((name, split), "-") for split in splits))
    console.print(table)
    for finding in report.findings:
        color = _COLORS[finding.severity]
        console.print(f"[bold {color}]{finding.severity}[/] {escape(one_line(finding.message))}")
        console.print(f"  → {escape(one_line(finding.advice))}", style="dim")
    counts = Counter(str(finding.severity) for finding in report.findings)
    summary = ", ".join(counted(counts[severity], severity) for severity in _COLORS)
    verdict = "ready for training" if report.ok else "fix the errors before training"
    console.print(f"{summary}: {verdict}.")
