"""The verbs on data sets alone: `check`, `convert` and `extract_regions`."""

from dataclasses import replace
from pathlib import Path
from typing import TypedDict, Unpack

from maskwright.arguments import check_options, checked
from maskwright.data import open_dataset, write_yaml
from maskwright.data.audit.audit import AuditReport, audit
from maskwright.data.audit.contact_sheet import contact_sheet
from maskwright.data.opening import open_with_doubts
from maskwright.data.pipeline.augmentation import Augmentation
from maskwright.data.readers.description import FILE_NAMES
from maskwright.data.readers.manifest import cache_folder
from maskwright.data.writers import check_target, convert_dataset
from maskwright.errors import ConfigError, DataError
from maskwright.imageio.write import checked_image_path
from maskwright.planning.object_findings import object_findings
from maskwright.tasks.regions.extraction.crops import CropSpec
from maskwright.tasks.regions.extraction.table import write_regions
from maskwright.tasks.settings import report_skipped
from maskwright.types import Alert, OnMessage, Outside, RegionKind, show_alert


@checked
def check(
    data: str | Path,
    *,
    sheet: str | Path | None = None,
    write: bool = False,
    force: bool = False,
    group_by: str | None = None,
    strength: str = "medium",
    empty_is_background: bool = False,
) -> AuditReport:
    """Audit a data set before training.

    Args:
        sheet: PNG file for a sheet of augmented images and masks.
        write: Write the inferred layout and classes to `data.yaml` in the data set's folder;
            `ConfigError` for formats whose masks are converted before they are read.
        force: Overwrite a `data.yaml` that is there.
        group_by: Column, or pattern whose first group names the case.
        strength: Augmentation strength of the sheet.
        empty_is_background: Images without a mask show background.
    """
    augmentation = Augmentation.named(strength)
    stated = empty_is_background
    dataset = open_with_doubts(data, group_by=group_by, empty_is_background=stated)
    sheet = None if sheet is None else checked_image_path(sheet)
    report = audit(dataset).with_findings(*object_findings(dataset))
    report = replace(report, source=str(data))  # some are drawn elsewhere
    if write:
        if dataset.doubts:
            raise DataError(f"Nothing was written. {dataset.doubts[0]}")
        if dataset.root.resolve().is_relative_to(cache_folder(".").resolve()):
            raise ConfigError(
                f"No data.yaml is written for {data}: its masks are converted from "
                f"{dataset.layout}, where the classes stand. To edit masks and classes, convert "
                f"it with `maskwright convert`."
            )
        path = dataset.root / FILE_NAMES[0]
        if path.exists() and not force:
            raise DataError(f"{path} is there already; overwrite it with --force (force=True).")
        write_yaml(dataset, path)
        report = replace(report, written=str(path))
    if sheet is not None:
        contact_sheet(dataset, sheet, augmentation)
    return report


@checked
def convert(
    data: str | Path,
    out: str | Path,
    to: str,
    *,
    ignored_as_background: bool = False,
    on_message: OnMessage = show_alert,
) -> Path:
    """Write a data set in another format, with copies of its images.

    Args:
        out: Folder that must not exist, or be empty; it appears when it is complete.
        to: Name of the format, one of `maskwright.data.writers.WRITERS`.
        ignored_as_background: Whether pixels that are ignored become background, for formats that
            cannot hold them.

    Raises:
        ConfigError: If there is no such format, or the folder holds something.
        DataError: If the data set cannot be read, or the format cannot hold what is in it.
    """
    check_target(Path(out), to)
    dataset = open_dataset(data, val_share=0, test_share=0)
    report_skipped(dataset, on_message)
    messages = convert_dataset(dataset, Path(out), to, ignored_as_background=ignored_as_background)
    for message in messages:
        on_message(Alert(message))
    return Path(out)


class CropOptions(TypedDict, total=False):
    """Options of `extract_regions`, as in `CropSpec`.

    Args:
        size: Side of the crops, px, 128; `None` writes no crops.
        context: Margin around the box, as a share of its sides, 0.2; `None` crops the whole image.
        outside: Treatment of pixels outside the mask: kept, darkened, removed or channel.
        min_area_px: Minimum area of a region, 1.
        spacing_mm: Height and width of a pixel in mm, for measures in mm; `None` takes those that
            the data set states, as volumes do.
    """

    size: int | None
    context: float | None
    outside: Outside
    min_area_px: int
    spacing_mm: tuple[float, float] | None


@checked
def extract_regions(
    data: str | Path,
    out: str | Path,
    *,
    regions: RegionKind | None = None,
    on_message: OnMessage = show_alert,
    **options: Unpack[CropOptions],
) -> Path:
    """Crop and measure all regions of a data set.

    Args:
        out: Folder for `regions.csv`, and for crops as `crops/NAME-NUMBER.png`.
        regions: `"components"`, `"instances"` or `"whole"`; `None` takes instances where masks
            separate them, else components.
    """
    check_options("extract_regions", options, CropOptions)
    dataset = open_dataset(data, val_share=0, test_share=0, scaled_masks=True)
    report_skipped(dataset, on_message)
    kind = regions or ("instances" if dataset.instances else "components")
    spec = CropSpec(kind=kind, **({"size": 128} | options))
    return write_regions(dataset, Path(out), spec, on_message)
