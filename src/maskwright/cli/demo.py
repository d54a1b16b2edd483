"""`maskwright demo`."""

from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import err, out, quiet_tensorflow


def demo(
    folder: Annotated[
        Path, typer.Option("-o", "--out", help="Folder for data, run and pictures.")
    ] = Path("demo"),
    minutes: Annotated[float, typer.Option(min=0.05, help="Time to train for.")] = 2.0,
) -> None:
    """Draw a data set of microscope-like scenes, train on it, evaluate, predict."""
    quiet_tensorflow()
    from maskwright import api
    from maskwright.evaluation import table

    made = api.demo(folder, minutes=minutes, tell=lambda text: err().print(text))
    out().print(table(made.evaluation))
    places = {
        "images and masks": made.data,
        "curves and previews": made.run,
        "report": made.run / "evaluation" / "test" / "report.html",
        "predicted masks": made.masks,
        "picture": made.picture,
    }
    for name, place in places.items():
        out().print(f"{name + ':':<22}{place}", soft_wrap=True)
