"""Regions as a CSV table, a row for each."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from maskwright.errors import DataError
from maskwright.imageio import atomic_write
from maskwright.tasks.regions.extraction.extract import Region
from maskwright.tasks.regions.extraction.features import MEASURES

_COLUMNS = (
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
    """Write regions as CSV: identity, box, then each measure that at least one of them has.

    Args:
        regions: Of any images, in the order of the rows; without any, the header alone is written.
        path: File to write.
        names: Class names, written in place of labels.
        columns: Further columns by name, a value for each region; they come last.

    Raises:
        DataError: If a column has not one value for each region, or its name is taken.
    """
    measured = [
        item.name
        for item in MEASURES
        if item.name not in _COLUMNS and any(item.name in region.measures for region in regions)
    ]
    columns = columns or {}
    for name, values in columns.items():
        if len(values) != len(regions) or name in (*_COLUMNS, *measured):
            raise DataError(
                f"Expected columns with unused names and {len(regions)} values each, one for each "
                f"region; received {name!r} with {len(values)}."
            )
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_COLUMNS, *measured, *columns])
    for row, region in enumerate(regions):
        writer.writerow(
            [
                region.image_id,
                region.number,
                region.label if names is None else names[region.label],
                region.value,
                *region.box,
                int(region.touches_border),
                region.area_px,
                *(_cell(region.measures.get(name)) for name in measured),
                *(values[row] for values in columns.values()),
            ]
        )
    with atomic_write(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.8g}"
