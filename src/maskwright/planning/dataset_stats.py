"""A data set in numbers that a plan can reason on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from maskwright.errors import DataError
from maskwright.planning.symmetry import Asymmetry

_NOTHING = Asymmetry(0.0, 1.0)


@dataclass(frozen=True)
class Summary:
    """Least, median and most of a number over images or regions."""

    least: float
    median: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float] | np.ndarray) -> "Summary":
        """Of some values, at least one."""
        return cls(float(np.min(values)), float(np.median(values)), float(np.max(values)))


@dataclass(frozen=True)
class ClassStats:
    """One class in the training images that were read. Areas and widths are in pixels of the files.

    Args:
        name: Of the class.
        share: Of the pixels that count, 0 to 1.
        images: That hold it.
        image_share: These, as a share of the images.
        regions: Number of its connected regions; 0 for the background, which is not measured.
        most_regions: In one image.
        smallest_px: Area of the smallest region.
        area_px: Median area.
        small_share: Area of a region, as a share of its image, such that a tenth of the pixels of
            the class lie in smaller ones; specks hardly count so.
        width_px: Median over its pixels of the mean width of their region; see `RegionMeasures`.
        width_share: The same, as a share of the longer side of the image.
        slenderness: The same of length by width, with area by width for length: 1.8 for discs,
            2.3 for squares, large for lines and nets.
        up_down: How its place differs from that in the image upside down.
        left_right: How it differs from that in the mirrored image.
    """

    name: str
    share: float = 0.0
    images: int = 0
    image_share: float = 0.0
    regions: int = 0
    most_regions: int = 0
    smallest_px: int = 0
    area_px: float = 0.0
    small_share: float = 0.0
    width_px: float = 0.0
    width_share: float = 0.0
    slenderness: float = 0.0
    up_down: Asymmetry = _NOTHING
    left_right: Asymmetry = _NOTHING


@dataclass(frozen=True)
class DatasetStats:
    """A data set in numbers. What is said of images and masks is said of training images only.

    Args:
        source: The data set.
        images: Samples in each split.
        cases: Cases in each split.
        looked_at: Training images that were read.
        skipped: Those that could not be read.
        height: Of the images, pixels.
        width: Of the images, pixels.
        usual_size: Height and width that most of them have.
        usual_share: Share of the images that has it.
        channels: Of every image.
        dtype: Of the pixels.
        color_share: Share of the images whose channels differ; gray ones may be stored as RGB.
        mean: Of each channel.
        std: Of each channel.
        low: Value of each channel below which 0.5% of the pixels lie.
        high: Value above which 0.5% lie.
        largest: Largest value of all.
        spacing_mm: Side of a pixel, where files state it and agree.
        classes: In the order of their labels.
        background: Label of the background, or `None` where there is none.
        empty_share: Share of the masks that hold nothing but background.
        object_share: Of the pixels that count, in masks that hold anything: all but background.
        void_share: Of all pixels, those that are ignored.
        holes: Pieces of background that regions enclose.
        smallest_hole_px: Area of the smallest of them; 0 without any.
        growth: Power of the area of an image with which the area of its regions grows: 1 where
            larger images show the same closer, 0 where they show more; `None` where images differ
            too little, or are too few, to tell.
        instances: Whether the masks tell objects apart.
        up_down: Of all classes together.
        left_right: Of all classes together.
        light_up_down: Of brightness.
        detail_up_down: Of how much brightness changes from pixel to pixel.
        grain: Change of brightness down the columns as a share of that along the rows.
        duplicates: Groups of images that show nearly the same.
        split_duplicates: Those of them that lie in more than one case.
    """

    source: str
    images: Mapping[str, int]
    cases: Mapping[str, int]
    height: Summary
    width: Summary
    usual_size: tuple[int, int]
    channels: int
    classes: tuple[ClassStats, ...]
    background: int | None = 0
    looked_at: int = 0
    skipped: int = 0
    usual_share: float = 1.0
    dtype: str = "uint8"
    color_share: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    largest: float = 255.0
    spacing_mm: float | None = None
    empty_share: float = 0.0
    object_share: float = 0.5
    void_share: float = 0.0
    holes: int = 0
    smallest_hole_px: int = 0
    growth: float | None = None
    instances: bool = False
    up_down: Asymmetry = _NOTHING
    left_right: Asymmetry = _NOTHING
    light_up_down: Asymmetry = _NOTHING
    detail_up_down: Asymmetry = _NOTHING
    grain: float = 1.0
    duplicates: int = 0
    split_duplicates: int = 0

    @property
    def training(self) -> int:
        """Number of training images."""
        return self.images.get("train", 0)

    @property
    def objects(self) -> list[ClassStats]:
        """Classes that occur, without the background."""
        return [c for i, c in enumerate(self.classes) if c.images and i != self.background]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def to_json(self) -> str:
        """JSON text that `from_json` reads back."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "DatasetStats":
        """Fingerprint from what `to_json` gave.

        Raises:
            DataError: If it is something else.
        """
        try:
            values = json.loads(text)
            places = ("up_down", "left_right", "light_up_down", "detail_up_down")
            values |= {name: Asymmetry(**values[name]) for name in places}
            values |= {name: Summary(**values[name]) for name in ("height", "width")}
            for name in ("mean", "std", "low", "high", "usual_size"):
                values[name] = tuple(values[name])
            values["classes"] = tuple(
                ClassStats(**{**c, **{name: Asymmetry(**c[name]) for name in places[:2]}})
                for c in values["classes"]
            )
            return cls(**values)
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"Expected the JSON of a fingerprint; it cannot be read ({error})."
            ) from None
