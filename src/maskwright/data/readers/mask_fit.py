"""How masks lie on their images: turned or not, of another size, elsewhere on the map."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from maskwright.data.encodings.contents import MaskContents
from maskwright.data.geometry import resize_labels, same_aspect
from maskwright.data.samples import Doubt, Note, Sample, counted, examples, yaml_line
from maskwright.errors import DataError
from maskwright.imageio import Header
from maskwright.imageio.header import upright

MaskOrientation = Literal["displayed", "stored"]
Size = tuple[int, int]
_GEO_SUFFIXES = {".tif", ".tiff"}  # of files whose place on the map is known


@dataclass(frozen=True)
class MaskFit:
    """What is done to masks so that they lie on their images.

    Args:
        turned: Masks without an EXIF orientation are turned as that of their image says.
        scaled: Masks of another size are resized to that of their image, taking nearest labels.
    """

    turned: bool = False
    scaled: bool = False

    def lay(self, mask: np.ndarray, image: Header, orientation: int) -> np.ndarray:
        """Mask `(h, w)` of any values on its image; `orientation` is that of its own file."""
        if self.turned and orientation == 1:
            mask = upright(mask, image.orientation)
        size = (image.height, image.width)
        if self.scaled and same_aspect(mask.shape[:2], size):
            mask = resize_labels(mask, size)
        return mask


AS_STORED = MaskFit()


@dataclass(frozen=True)
class HeaderPair:
    """Headers of an image and of its first mask."""

    sample: Sample
    image: Header
    mask: Header

    @property
    def size(self) -> Size:
        """Height and width of the image as displayed."""
        return self.image.height, self.image.width

    def mask_size(self, turned: bool) -> Size:
        """Height and width of the mask, turned with its image or not."""
        size = self.mask.height, self.mask.width
        on_side = turned and self.mask.orientation == 1 and self.image.orientation >= 5
        return (size[1], size[0]) if on_side else size


@dataclass
class FitResult:
    """How masks are laid on their images, why some cannot be, by sample id, and what to tell."""

    fit: MaskFit = field(default_factory=MaskFit)
    faults: dict[str, str] = field(default_factory=dict)
    remarks: list[Note | Doubt] = field(default_factory=list)


def fit_masks(
    pairs: Sequence[HeaderPair],
    scaled_masks: bool = False,
    orientation: MaskOrientation | None = None,
) -> FitResult:
    """Find out how masks lie on their images.

    `scaled_masks` is that of `open_dataset`; `orientation` is stated: whether masks fit the images
    as displayed, or as stored, of which EXIF turns the display.
    """
    result = FitResult()
    turned = orientation == "stored" or (orientation is None and _settle_turns(pairs, result))
    sizes = [(pair.size, pair.mask_size(turned)) for pair in pairs]
    scaled = not scaled_masks and _have_one_scale(sizes)
    result.fit = MaskFit(turned, scaled)
    if scaled:
        (height, width), (mask_height, mask_width) = sizes[0]
        result.remarks.append(
            Note(
                "scaled_masks",
                f"All masks are of another size than their images, with the same aspect, as "
                f"{mask_width}x{mask_height} of {width}x{height} pixels: they are resized to "
                f"their images, taking nearest labels.",
            )
        )
    for pair, (size, mask_size) in zip(pairs, sizes, strict=True):
        image, mask = pair.sample.image, pair.sample.masks[0]
        agrees = (scaled or scaled_masks) and same_aspect(size, mask_size)
        if size != mask_size and not agrees:
            result.faults[pair.sample.id] = sizes_differ(image, size, mask, mask_size)
        elif reason := lies_elsewhere(pair):
            result.faults[pair.sample.id] = reason
    return result


def inside_view(view: np.ndarray) -> np.ndarray:
    """Boolean `(h, w)`, true in the bright part of the mask of a field of view."""
    gray = view.max(axis=2) if view.ndim == 3 else view
    bright: np.ndarray = gray > gray.max(initial=0) // 2
    return bright


def sizes_differ(image: Path, size: Sequence[int], mask: Path, mask_size: Sequence[int]) -> str:
    """Sentence on an image and a mask of unequal `(height, width)`."""
    hint = ""
    if tuple(size) == tuple(mask_size)[::-1]:
        hint = (
            " One lies on its side: turn the mask, or, if all masks fit the pixels that an EXIF "
            "orientation turns, write `mask_orientation: stored` into data.yaml."
        )
    return (
        f"{image} is {size[1]}x{size[0]} pixels but its mask {mask} is "
        f"{mask_size[1]}x{mask_size[0]}; both must have the same size.{hint}"
    )


def _settle_turns(pairs: Sequence[HeaderPair], result: FitResult) -> bool:
    """Whether masks fit the stored pixels of images with an EXIF orientation, by their sizes."""
    concerned = [p for p in pairs if p.image.orientation != 1 and p.mask.orientation == 1]
    fits = {way: [_agree(p, way) for p in concerned] for way in (False, True)}
    displayed = sum(d and not s for d, s in zip(fits[False], fits[True], strict=True))
    stored = sum(s and not d for d, s in zip(fits[False], fits[True], strict=True))
    either = [p for p, d, s in zip(concerned, *fits.values(), strict=True) if d and s]
    turned = stored > displayed == 0
    if either and bool(displayed) == bool(stored):
        names = examples(p.sample.image.name for p in either)
        result.remarks.append(
            Doubt(
                "mask_orientation",
                f"{counted(len(either), 'image is', 'images are')} turned by an EXIF orientation "
                f"({names}), and masks of the same size carry none: they may fit the images as "
                f"displayed, or as stored.",
                "Write `mask_orientation: displayed` into data.yaml if they fit the displayed "
                "images, `mask_orientation: stored` if they fit the stored pixels.",
            )
        )
    elif displayed or stored:
        way = "stored, and are turned with them" if turned else "displayed, with their orientation"
        count = counted(max(displayed, stored), "image shows", "images show")
        text = f"Masks fit images with an EXIF orientation as {way}: the sizes of {count} it."
        result.remarks.append(Note("mask_orientation", text))
    return turned


def _agree(pair: HeaderPair, turned: bool) -> bool:
    return same_aspect(pair.size, pair.mask_size(turned))


def _have_one_scale(sizes: Sequence[tuple[Size, Size]]) -> bool:
    """Whether all masks are of another size than their images, by one factor or of one size."""
    if len(sizes) < 2 or any(size == mask or not same_aspect(size, mask) for size, mask in sizes):
        return False
    (height, _), (mask_height, _) = max(sizes)
    factor = mask_height / height
    by_factor = all(abs(size[0] * factor - mask[0]) < 1 for size, mask in sizes)
    return by_factor or len({mask for _, mask in sizes}) == 1


def check_georeference(sample: Sample, header: Callable[[Path], Header]) -> None:
    """Raise `DataError` where the first mask of a sample is georeferenced elsewhere."""
    if sample.masks and sample.masks[0].suffix.lower() in _GEO_SUFFIXES:
        pair = HeaderPair(sample, header(sample.image), header(sample.masks[0]))
        if reason := lies_elsewhere(pair):
            raise DataError(reason)


def lies_elsewhere(pair: HeaderPair) -> str:
    """Sentence on a mask whose georeference is not that of its image; `""` where they agree."""
    image, mask = pair.image.corners, pair.mask.corners
    if image is None or mask is None:
        return ""
    pixels = [
        max(abs(c[2] - c[0]) / header.width, abs(c[3] - c[1]) / header.height)
        for c, header in ((image, pair.image), (mask, pair.mask))
    ]
    distance = max(abs(a - b) for a, b in zip(image, mask, strict=True))
    if distance <= 0.5 * max(pixels):
        return ""
    return (
        f"{pair.sample.masks[0]} lies elsewhere than its image {pair.sample.image}: its corners "
        f"are at {_shown(mask)}, those of the image at {_shown(image)}; expected the same area: "
        f"export the mask again, or remove the georeference that is wrong."
    )


def _shown(corners: Sequence[float]) -> str:
    left, top, right, bottom = (f"{value:.10g}" for value in corners)
    return f"{left}, {top} and {right}, {bottom}"


def nodata_remarks(
    contents: Collection[MaskContents],
    stated: Collection[object],
    names: Mapping[int | str, str],
) -> Iterator[Note | Doubt]:
    """What masks declare as no data: ignored, but for 0, which is mostly background.

    `stated` are the values that data.yaml explains, `names` the classes of all, as inferred.
    """
    values = sorted({content.nodata for content in contents if content.nodata is not None})
    integers = [value for value in values if value and value not in stated]
    ignored = ["NaN" if value < -(2**30) else value for value in integers]
    others = {value for content in contents for value in content.values}
    shown = ", ".join(map(str, ignored))
    if ignored and len(others) < 2:
        ground = next((value for value in others if isinstance(value, int)), 0)
        both = yaml_line("values", {ground: "background", ignored[0]: "foreground"})
        yield Doubt(
            "mask_nodata",
            f"Masks declare {shown} as no data (the GDAL tag of a GeoTIFF), beside "
            f"which they hold {', '.join(map(str, others)) or 'nothing'} alone: it may be a class, "
            f"or pixels to ignore.",
            f"Write {yaml_line('ignore', ignored)} into data.yaml to ignore them, or all values "
            f"with their classes, as {both}.",
        )
    elif ignored:
        yield Note("mask_nodata", f"Masks declare {shown} as no data, which is ignored.")
    if 0 in values and 0 not in stated:
        yield Doubt(
            "mask_nodata",
            "Masks declare 0 as no data (the GDAL tag of a GeoTIFF): 0 may be background, or "
            "pixels to ignore.",
            f"Write `ignore: [0]` into data.yaml to ignore them, or all values with their classes, "
            f"as {yaml_line('values', names)}.",
        )
