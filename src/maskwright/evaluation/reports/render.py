"""From a `Report` to one HTML file that loads nothing from elsewhere, by Jinja2 templates."""

import base64
import csv
import io
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from maskwright.evaluation.reports.charts import training_curves
from maskwright.evaluation.reports.parts import Page, Report, upper_first
from maskwright.evaluation.result import Example
from maskwright.imageio import write_text

if TYPE_CHECKING:
    from jinja2 import Environment


def render(report: Report, page: Page, path: Path, run: Path | None) -> Path:
    """Write the HTML report to `path` and return it.

    `run` is the folder of the run, for its curves and settings where they exist.
    """
    evaluation = report.evaluation
    model = run.name if run else "Model"
    heading = page.heading or f"{model} on {evaluation.data.name}, {evaluation.split} split"
    text = (
        _environment()
        .get_template("evaluation/reports/report.html")
        .render(
            report=report,
            page=page,
            evaluation=evaluation,
            heading=heading,
            run=run,
            curves=_curves(run, page.curves),
            run_settings=_read(run, "plan.yaml"),
        )
    )
    write_text(path, text)
    return path


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("maskwright", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(by_rank=_by_rank, data_uri=_data_uri, upper_first=upper_first)
    return environment


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

    def points(name: str) -> list[tuple[float, float]]:
        return [(float(row["epoch"]), float(row[name])) for row in rows if row.get(name)]

    charts = []
    for name, title in titles.items():
        series = {"training": points(name), "validation": points(f"val_{name}")}
        charts.append((title, training_curves(series, title)))
    return [(title, svg) for title, svg in charts if svg]


def _read(run: Path | None, name: str) -> str:
    """Text of a file of the run; empty where there is none."""
    path = None if run is None else run / name
    return path.read_text(encoding="utf-8") if path is not None and path.is_file() else ""
