"""`maskwright audit`."""

import json
from pathlib import Path
from typing import Annotated

from typer import Argument, Option, echo

from maskwright.cli import options
from maskwright.cli.console import out, print_message, quiet_tensorflow


def audit(
    run: Annotated[Path, Argument(help="Folder of a cross-validation, or of a run.")],
    data: options.Data,
    folder: options.OutFolder = None,
    examples: Annotated[int, Option(min=0, help="Number of masks that are drawn.")] = 24,
    flips: options.Flips = False,
    pixel_range: options.PixelRange = None,
    allow_code: options.AllowCode = False,
    as_json: options.Json = False,
) -> None:
    """Find masks that may be wrong, by models that have not learned from them."""
    quiet_tensorflow()
    from maskwright import api
    from maskwright.evaluation.reports.write import draw_table, to_dict
    from maskwright.tasks.registry import task_of

    audited = api.audit(
        run,
        data,
        out=folder,
        examples=examples,
        flips=flips,
        pixel_range=pixel_range,
        allow_code=allow_code,
        on_message=print_message,
    )
    report = task_of(run).report(audited)
    if as_json:
        echo(json.dumps(to_dict(report)))
    else:
        notes = [f"{report.summary}.", *(c.text for c in audited.warnings), *report.notes]
        out().print(draw_table(report.table, report.table.title, notes))
    for skipped in audited.skipped:
        print_message(f"skipped: {skipped.reason}")
    print_message(f"See {(folder or api.audit_folder(run)) / 'report.html'}.")
