"""Regions as a CSV table, a row for each."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from maskwright.errors import DataError
from maskwright.imageio import atomic_write
from maskwright.tasks.regions.extraction.extract import Region
from maskwright.tasks.regions.extraction.features import MEASURES

Row = dict[str, Any]
"""Cells of a region by the names of their columns."""

_FIXED = (
    *("image", "region", "label", "value", "top", "left", "bottom", "right"),
    *("touches_border", "area_px"),
)


def write_table(
    regions: Sequence[Region],
    path: str | Path,
    *,
    names: Sequence[str] | None = None,
    columns: Mapping[str, Sequence[object]] | None = None,
) -> None:
    """Write regions as CSV: what they are, where they lie, then all measures that any of them has.

    Args:
        regions: Of any images, in the order of the rows; without any, the header alone is written.
        path: File to write.
        names: Class names, written in place of labels.
        columns: Further columns by name, a value for each region; they come last.

    Raises:
        DataError: If a column has not one value for each region, or its name is taken.
    """
    columns = columns or {}
    rows = [region_row(region, names) for region in regions]
    taken = {*_FIXED, *(name for row in rows for name in row)}
    for name, values in columns.items():
        if len(values) != len(rows) or name in taken:
            raise DataError(
                f"Expected columns with unused names and {len(rows)} values each, one for each "
                f"region; received {name!r} with {len(values)}."
            )
        for row, value in zip(rows, values, strict=True):
            row[name] = value
    write_rows(rows, path, tuple(columns))


def region_row(region: Region, names: Sequence[str] | None = None) -> Row:
    """Cells of a region by the names of their columns, without measures that it does not have.

    Args:
        region: With or without measures.
        names: Of the classes, to write in place of labels.
    """
    label: object = int(region.label) if names is None else names[region.label]
    place = [*map(int, region.box), int(region.touches_border), int(region.area_px)]
    fixed = [region.image_id, int(region.number), label, int(region.value), *place]
    measures = {name: f"{value:.8g}" for name, value in region.measures.items()}
    return measures | dict(zip(_FIXED, fixed, strict=True))


def write_rows(rows: Sequence[Row], path: str | Path, last: Sequence[str] = ()) -> None:
    """Write a table of regions as CSV.

    Args:
        rows: From `region_row`, with the columns in `last` added to each.
        path: File to write.
        last: Columns after the measures.
    """
    measured = [
        item.name
        for item in MEASURES
        if item.name not in _FIXED and any(item.name in row for row in rows)
    ]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(
        text, [*_FIXED, *measured, *last], restval="", extrasaction="ignore", lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(rows)
    with atomic_write(path) as beside:
        beside.write_text(text.getvalue(), encoding="utf-8")
