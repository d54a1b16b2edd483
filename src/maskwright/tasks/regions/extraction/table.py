"""Regions as files: a CSV table with a row for each, and crops."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from maskwright import imageio
from maskwright.data import DataSet, Sample
from maskwright.data.parallel import in_threads
from maskwright.errors import DataError
from maskwright.imageio import make_folder, write_image
from maskwright.tasks.regions.extraction.crops import CropSpec
from maskwright.tasks.regions.extraction.extract import Region
from maskwright.tasks.regions.extraction.features import MEASURES
from maskwright.tasks.regions.extraction.masks import true_regions
from maskwright.types import Alert, OnMessage, ignore_message

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

    `names` are class names, written in place of labels; `columns` come last, by name, with a value
    for each region. Without regions, the header alone is written.
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
    """Cells of a region by the names of their columns, without measures that it does not have."""
    label: object = int(region.label) if names is None else names[region.label]
    place = [*map(int, region.box), int(region.touches_border), int(region.area_px)]
    fixed = [region.image_id, int(region.number), label, int(region.value), *place]
    measures = {name: f"{value:.8g}" for name, value in region.measures.items()}
    return measures | dict(zip(_FIXED, fixed, strict=True))


def write_rows(rows: Sequence[Row], path: str | Path, last: Sequence[str] = ()) -> None:
    """Write rows from `region_row` as CSV; the columns in `last` follow the measures."""
    measured = [
        item.name
        for item in MEASURES
        if item.name not in _FIXED and any(item.name in row for row in rows)
    ]
    columns = [*_FIXED, *measured, *last]
    imageio.write_table(path, columns, [[row.get(name, "") for name in columns] for row in rows])


def write_regions(
    dataset: DataSet, out: Path, spec: CropSpec, on_message: OnMessage = ignore_message
) -> Path:
    """Write `out/regions.csv` and, where `spec` has a size, `out/crops/NAME-NUMBER.png`.

    Crops of floats, or of other than one or three channels, are TIFF files instead. Where `spec`
    has no spacing, that of each sample counts. The path of the table is returned; `on_message` gets
    a sentence for each sample that cannot be used.
    """
    make_folder(out)

    def crop(sample: Sample) -> list[Region] | str:
        spacing = spec.spacing_mm or sample.spacing_mm
        try:
            _, regions = true_regions(dataset, sample, replace(spec, spacing_mm=spacing))
        except DataError as error:
            return str(error)
        for region in regions:
            if region.crop is not None:
                name = f"{sample.id}-{region.number}{_suffix(region.crop)}"
                write_image(out / "crops" / name, region.crop)
        return [replace(region, crop=None, crop_mask=None) for region in regions]

    table: list[Region] = []
    samples: list[Sample] = []
    results = in_threads(crop, dataset.samples, "Extracting regions")
    for sample, regions in zip(dataset.samples, results, strict=True):
        if isinstance(regions, str):
            on_message(Alert(f"skipped: {regions}"))
            continue
        table += regions
        samples += [sample] * len(regions)
    if not table:
        raise DataError(
            f"The masks in {dataset.root} hold no region of {spec.min_area_px} px or more."
        )
    names = dataset.labels.names if spec.kind == "components" else None
    columns = {
        "case": [sample.case for sample in samples],
        "split": [sample.split or "" for sample in samples],
        "image_label": [sample.label or "" for sample in samples],
    }
    write_table(table, out / "regions.csv", names=names, columns=columns)
    return out / "regions.csv"


def _suffix(crop: np.ndarray) -> str:
    """Suffix of a file format that holds a crop without loss."""
    return ".png" if crop.shape[2] in (1, 3) and crop.dtype in (np.uint8, np.uint16) else ".tif"
