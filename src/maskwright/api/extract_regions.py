"""The verb extract, on what lies inside masks."""

from pathlib import Path

from maskwright.data import open_dataset
from maskwright.tasks.settings import report_skipped
from maskwright.types import OnMessage, Outside, RegionKind, ignore_message


def extract_regions(
    data: str | Path,
    out: str | Path,
    *,
    regions: RegionKind | None = None,
    size: int = 128,
    context: float | None = 0.2,
    outside: Outside = "kept",
    min_area_px: int = 1,
    spacing_mm: tuple[float, float] | None = None,
    crops: bool = True,
    on_message: OnMessage = ignore_message,
) -> Path:
    """Cut every region of a data set out and measure it.

    Args:
        data: What `open_dataset` takes.
        out: Folder for `regions.csv` and `crops/`.
        regions: `"components"`, `"instances"` or `"whole"`; found out when left out.
        size: Side of the crops, px.
        context: Margin around the box, as a share of its sides; `None` for the whole image.
        outside: What becomes of pixels outside the mask: kept, darkened, removed or channel.
        min_area_px: Smaller regions are left out.
        spacing_mm: Height and width of a pixel, for measures in mm.
        crops: Write them, as `crops/NAME-NUMBER.png`.
        on_message: Called with a sentence for every file that is left out.

    Returns:
        The table, `regions.csv`.
    """
    from maskwright.tasks.regions.extraction.export_crops import write_regions

    dataset = open_dataset(data, val_share=0, test_share=0, scaled_masks=True)
    report_skipped(dataset, on_message)
    return write_regions(
        dataset,
        Path(out),
        kind=regions or ("instances" if dataset.instances else "components"),
        size=size if crops else None,
        context=context,
        outside=outside,
        min_area_px=min_area_px,
        spacing_mm=spacing_mm,
        on_message=on_message,
    )
