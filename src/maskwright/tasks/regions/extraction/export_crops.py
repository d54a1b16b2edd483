"""All regions of a data set as files: a table of measures, and crops."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.parallel import in_threads
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.imageio import write_image
from maskwright.tasks.regions.extraction.crop_spec import CropSpec
from maskwright.tasks.regions.extraction.extract import Region
from maskwright.tasks.regions.extraction.ground_truth import true_regions
from maskwright.tasks.regions.extraction.table import write_table
from maskwright.types import OnMessage, ignore_message


def write_regions(
    dataset: DataSet, out: Path, spec: CropSpec, on_message: OnMessage = ignore_message
) -> Path:
    """Write `out/regions.csv` and, where `spec` has a size, `out/crops/NAME-NUMBER.png`.

    Crops of floats, or of other than one or three channels, are TIFF files instead. Only the table
    is held in memory; images are read in parallel and released one by one.

    Args:
        dataset: Data set with masks.
        out: Folder, created where it is missing.
        spec: Which regions, and how they are cropped.
        on_message: Called with a sentence for each sample that cannot be used.

    Returns:
        Path of the table.

    Raises:
        DataError: If there is no region at all.
    """
    out.mkdir(parents=True, exist_ok=True)

    def crop(sample: Sample) -> list[Region] | str:
        try:
            _, regions = true_regions(dataset, sample, spec)
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
            on_message(f"left out: {regions}")
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
