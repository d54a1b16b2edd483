"""`maskwright audit` and `maskwright queue`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Argument, Exit, Option, echo

from maskwright.cli import options
from maskwright.cli.console import out, print_message
from maskwright.errors import printable

_SHOWN = 10  # images that are named without a count


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


def queue(
    model: Annotated[Path, Argument(help="Folder of a run, or an exported model.")],
    images: Annotated[str, Argument(help="Image, folder or glob.")],
    table: Annotated[
        Path | None, Option("-o", "--out", help="CSV file for all images in their order.")
    ] = None,
    count: Annotated[int | None, Option(min=1, help="Number of images to name.")] = None,
    group_by: Annotated[
        str | None, Option(help="Regular expression whose first group, in a path, is the case.")
    ] = None,
    pixel_range: options.PixelRange = None,
    allow_code: options.AllowCode = False,
    as_json: options.Json = False,
) -> None:
    """Tell which images to label next."""
    from maskwright import api

    queued = api.queue(
        model,
        images,
        out=table,
        count=count,
        group_by=group_by,
        pixel_range=pixel_range,
        allow_code=allow_code,
        on_message=print_message,
    )
    if as_json:
        named = [{**asdict(each), "image": str(each.image)} for each in queued.images]
        echo(json.dumps({"images": named, "notes": queued.notes}))
    else:
        for rank, each in enumerate(queued.images[: count or _SHOWN], start=1):
            echo(printable(f"{rank:>3}. {each.image}: {each.reason}"))
        if len(queued.images) > (count or _SHOWN):
            print_message(f"{len(queued.images)} images; name more with --count, all with -o.")
    for failure in queued.failed:
        print_message(f"failed: {failure.reason}")
    for note in queued.notes:
        print_message(note)
    if table is not None:
        print_message(f"See {table}.")
    if queued.failed:
        raise Exit(1)
