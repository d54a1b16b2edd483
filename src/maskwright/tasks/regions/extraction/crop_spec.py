"""`CropSpec`: which regions of a mask are extracted, and how their crops are made."""

from dataclasses import dataclass
from typing import get_args

from maskwright.errors import ConfigError
from maskwright.tasks.regions.extraction.crops import check_crop, check_outside
from maskwright.tasks.regions.extraction.shapes import check_spacing
from maskwright.types import Outside, RegionKind


@dataclass(frozen=True)
class CropSpec:
    """Which regions of a mask are extracted, and how their crops are made.

    Args:
        kind: `"components"`: connected components of each class, with diagonal neighbors.
            `"instances"`: each value of an instance mask, connected or not. `"whole"`: all
            foreground of the image as one region.
        size: Side of the square crops, px; `None` makes no crops.
        context: Margin around the box, as a share of its sides; `None` crops the whole image.
        outside: Treatment of the pixels of a crop outside the mask, as in `treat`.
        min_area_px: Minimum area of a region; smaller ones are skipped and not numbered.
        min_predicted_px: Minimum area of a region in a predicted mask, see `extract_predicted`.
        spacing_mm: Millimeters from row to row and from column to column; `None` if unknown.
        full_scale: Pixel value that counts as full, for intensities and for the mask as a channel;
            `None` takes `full_scale_of` each image.

    Raises:
        ConfigError: If a value is out of its range.
    """

    kind: RegionKind = "components"
    size: int | None = None
    context: float | None = 0.2
    outside: Outside = "kept"
    min_area_px: int = 1
    min_predicted_px: int = 1
    spacing_mm: tuple[float, float] | None = None
    full_scale: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(RegionKind):
            raise ConfigError(
                f"Expected the kind of regions to be one of {', '.join(get_args(RegionKind))}; "
                f"received {self.kind!r}."
            )
        check_crop(self.size, self.context)
        check_outside(self.outside)
        if self.spacing_mm is not None:
            check_spacing(self.spacing_mm)
