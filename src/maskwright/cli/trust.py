"""`maskwright trust`."""

import json
from pathlib import Path
from typing import Annotated

from typer import Argument, Option, echo

from maskwright.cli import options
from maskwright.cli.console import out, print_message
from maskwright.data.samples import CALIBRATION

_NONE = "0 for none."


def trust(
    run: Annotated[Path, Argument(help="Folder of a run, or of an ensemble.")],
    data: options.Data,
    classes: Annotated[
        list[str] | None,
        Option("--class", help="Class to make promises for, instead of all; can be repeated."),
    ] = None,
    missed: Annotated[float, Option(help=f"Share of a class that may be missed; {_NONE}")] = 0.1,
    false: Annotated[
        float, Option("--false", help=f"Share of a mask that may be something else; {_NONE}")
    ] = 0.1,
    each: Annotated[float, Option(help=f"Share of the cases that may exceed these; {_NONE}")] = 0.1,
    sure: Annotated[
        float, Option(help=f"Confidence of a second, stricter promise of each kind; {_NONE}")
    ] = 0.95,
    need_dice: Annotated[
        float | None, Option(help="Dice that a mask needs to be used without a look at it.")
    ] = None,
    split: Annotated[
        str, Option(help="Split to make promises from; all for all images not learned from.")
    ] = CALIBRATION,
    flips: options.Flips = False,
    pixel_range: options.PixelRange = None,
    allow_code: options.AllowCode = False,
    as_json: options.Json = False,
) -> None:
    """Make promises about masks, objects or decisions that hold for new cases."""
    from maskwright import api
    from maskwright.evaluation.reports.write import draw_table
    from maskwright.model_card import TRUST_FILE
    from maskwright.tasks.registry import task_of

    record = api.trust(
        run,
        data,
        split=split,
        classes=classes or None,
        missed=missed or None,
        false=false or None,
        each=each or None,
        sure=sure or None,
        need_dice=need_dice,
        flips=flips,
        pixel_range=pixel_range,
        allow_code=allow_code,
        on_message=print_message,
    )
    if as_json:
        echo(json.dumps(record.to_dict()))
        return
    table = task_of(run).promise_table(record)
    out().print(draw_table(table, table.title, [table.note, *record.remarks]))
    print_message(f"See {run / TRUST_FILE}.")
