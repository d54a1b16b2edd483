"""Statistics of a data set, from which a plan is derived."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.planning.stats.object_stats import ObjectStats
from maskwright.planning.stats.symmetry import NO_ASYMMETRY, Asymmetry


@dataclass(frozen=True)
class Summary:
    """Minimum, median and maximum of a number over images or regions."""

    minimum: float
    median: float
    maximum: float

    @classmethod
    def of(cls, values: Sequence[float] | np.ndarray) -> "Summary":
        """Summary of at least one value."""
        return cls(float(np.min(values)), float(np.median(values)), float(np.max(values)))


@dataclass(frozen=True)
class ClassStats:
    """Statistics of one class in the training images that were read.

    Areas and widths are in pixels of the image files. A region is a connected component.

    Args:
        share: Fraction of all pixels that are not ignored.
        regions: Number of regions; 0 for the background, whose regions are not measured.
        small_area_share: Region area as a fraction of its image, below which the regions with a
            tenth of the pixels of the class lie. Specks hardly affect it.
        width_share: Median region width, weighted by pixels, as a fraction of the longer side of
            the image; see `RegionMeasures`.
        slenderness: Median of area / width², weighted by pixels: 1.8 for discs, 2.3 for squares,
            large for lines and networks of lines.
    """

    name: str
    share: float = 0.0
    images: int = 0
    regions: int = 0
    max_regions: int = 0
    min_area_px: int = 0
    median_area_px: float = 0.0
    small_area_share: float = 0.0
    width_share: float = 0.0
    slenderness: float = 0.0
    left_right: Asymmetry = NO_ASYMMETRY

    @property
    def is_long(self) -> bool:
        """Whether regions are much longer than wide, so that their width determines the scale."""
        return self.slenderness >= 8

    @property
    def is_thin(self) -> bool:
        """Whether regions are lines: much longer than wide, and narrow in the image."""
        return self.is_long and self.width_share <= 0.03


@dataclass(frozen=True)
class DatasetStats:
    """Statistics of a data set. Images and masks are measured in the training split only.

    Args:
        color_share: Fraction of the images whose channels differ; gray images may be RGB files.
        spacing_mm: Pixel size in mm; `None` if files do not state it, or disagree.
        empty_share: Fraction of the masks without foreground.
        foreground_share: Fraction of foreground pixels in the masks that have any.
        ignored_share: Fraction of all pixels that have the ignore label.
        smallest_hole_px: Area of the smallest hole; 0 without holes.
        area_exponent: Exponent of region area as a power of image area: 1 if larger images are
            magnified, 0 if they show more of the scene; `None` if image sizes differ too little or
            images are too few.
        objects: Statistics of single objects; `None` where the masks do not tell them apart.
        detail_up_down: Asymmetry of local contrast under vertical flips.
        anisotropy: Brightness change from row to row, divided by that from column to column.
        split_duplicates: Number of groups of near-duplicate images from several cases.
    """

    source: str
    images: Mapping[str, int]
    cases: Mapping[str, int]
    height: Summary
    width: Summary
    modal_size: tuple[int, int]
    channels: int
    classes: tuple[ClassStats, ...]
    background: int | None = 0
    images_read: int = 0
    skipped: int = 0
    modal_share: float = 1.0
    dtype: str = "uint8"
    color_share: float = 1.0
    spacing_mm: float | None = None
    empty_share: float = 0.0
    foreground_share: float = 0.5
    ignored_share: float = 0.0
    holes: int = 0
    smallest_hole_px: int = 0
    area_exponent: float | None = None
    instances: bool = False
    objects: ObjectStats | None = None
    up_down: Asymmetry = NO_ASYMMETRY
    brightness_up_down: Asymmetry = NO_ASYMMETRY
    detail_up_down: Asymmetry = NO_ASYMMETRY
    anisotropy: float = 1.0
    split_duplicates: int = 0

    @property
    def num_training(self) -> int:
        """Number of training images."""
        return self.images.get("train", 0)

    @property
    def median_size(self) -> tuple[float, float]:
        """Median height and median width, in pixels."""
        return self.height.median, self.width.median

    @property
    def foreground(self) -> list[ClassStats]:
        """Classes that occur, without the background."""
        return [c for i, c in enumerate(self.classes) if c.images and i != self.background]
