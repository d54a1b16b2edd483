"""Every region of a data set into files: a table of measures, and crops."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.parallel import in_threads
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.imageio import write_image
from maskwright.tasks.regions.extraction.crops import align
from maskwright.tasks.regions.extraction.extract import Region, extract
from maskwright.tasks.regions.extraction.table import write_table
from maskwright.tasks.regions.learning.build_bags import read_regions
from maskwright.types import Outside, RegionKind


def write_regions(
    dataset: DataSet,
    out: Path,
    *,
    kind: RegionKind,
    size: int | None,
    context: float | None,
    outside: Outside,
    min_area_px: int = 1,
    spacing_mm: tuple[float, float] | None = None,
    on_message: Callable[[str], None] = lambda _: None,
) -> Path:
    """Write `out/regions.csv` and, where they have a size, `out/crops/NAME-NUMBER.png`.

    Crops of floats, or of other than one or three channels, are TIFF files instead. Images are
    read side by side and one by one forgotten, so that memory holds the table alone.

    Args:
        dataset: With masks.
        out: Folder, made where it is missing.
        kind: As in `extract`.
        size: Side of the crops, px; `None` writes none.
        context: As in `extract`.
        outside: As in `extract`.
        min_area_px: Smaller regions are left out.
        spacing_mm: Height and width of a pixel, for measures in mm.
        on_message: Called with a sentence for every sample that cannot be used.

    Returns:
        The table.

    Raises:
        DataError: If there is no region at all.
    """
    out.mkdir(parents=True, exist_ok=True)

    def cut(sample: Sample) -> list[Region] | str:
        try:
            image = dataset.read_image(sample)
            mask, background = read_regions(dataset, sample, kind)
            regions = extract(
                image,
                align(image, mask),
                image_id=sample.id,
                kind=kind,
                background=background,
                min_area_px=min_area_px,
                context=context,
                size=size,
                outside=outside,
                spacing_mm=spacing_mm,
            )
        except DataError as error:
            return str(error)
        for region in regions:
            if region.crop is not None:
                name = f"{sample.id}-{region.number}{_ending(region.crop)}"
                write_image(out / "crops" / name, region.crop)
        return [replace(region, crop=None, crop_mask=None) for region in regions]

    found: list[Region] = []
    samples: list[Sample] = []
    for sample, regions in zip(
        dataset.samples, in_threads(cut, dataset.samples, "Extracting regions"), strict=True
    ):
        if isinstance(regions, str):
            on_message(f"left out: {regions}")
            continue
        found += regions
        samples += [sample] * len(regions)
    if not found:
        raise DataError(f"The masks in {dataset.root} hold no region of {min_area_px} px or more.")
    names = dataset.labels.names if kind == "components" else None
    columns = {
        "case": [sample.case for sample in samples],
        "split": [sample.split or "" for sample in samples],
        "image_label": [sample.label or "" for sample in samples],
    }
    write_table(found, out / "regions.csv", names=names, columns=columns)
    return out / "regions.csv"


def _ending(crop: np.ndarray) -> str:
    """Of a kind of file that can hold a crop."""
    return ".png" if crop.shape[2] in (1, 3) and crop.dtype in (np.uint8, np.uint16) else ".tif"
