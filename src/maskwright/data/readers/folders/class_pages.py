"""Masks with a class on each page or channel, which become a file for each class once."""

import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from maskwright.data.encodings.class_map import ClassMap
from maskwright.data.readers.base import Layout, Place
from maskwright.data.readers.conversion import convert
from maskwright.data.readers.description import Description
from maskwright.data.readers.leftovers import settle_leftovers
from maskwright.data.readers.manifest import write_described
from maskwright.data.samples import Doubt, Note, Sample, first_few, yaml_line
from maskwright.errors import DataError
from maskwright.imageio import read_header, read_image, write_image
from maskwright.imageio.arrays import read_planes
from maskwright.labels import BACKGROUND_NAMES

_SUFFIXES = {".tif", ".tiff", ".npy"}
_COLORS = (1, 2, 3, 4)  # channels of gray and colors, with or without alpha
_VERSION = 1


class Layers(NamedTuple):
    """Pages, or channels, of each mask; 0 where these are none, but perhaps colors."""

    number: int
    or_colors: bool = False


def find_layers(samples: Sequence[Sample]) -> Layers:
    """Pages of the masks, or channels that are no colors, or need not be."""
    masks = [sample.masks for sample in samples if sample.masks]
    if not masks or any(len(each) > 1 or each[0].suffix.lower() not in _SUFFIXES for each in masks):
        return Layers(0)
    files = [mask for (mask,) in masks]
    first = _layers_of(files[0])
    if first and all(_layers_of(file) == first for file in files):
        return Layers(first)
    return _planes(files)


def doubt_colors(class_map: ClassMap | None) -> Doubt:
    """Doubt about arrays that are colors, or planes that overlap."""
    listed = [entry.name for entry in class_map.objects] if class_map else []
    names = listed if len(listed) == 3 else ["class_1", "class_2", "class_3"]
    return Doubt(
        "colors_or_planes",
        "The masks are arrays of three channels of 0 and 255, of which pixels have several: "
        "colors, each of which is a class, or a plane for each class, which overlap.",
        f"Write `encoding: colors` into data.yaml for colors; for planes `overlap: multilabel`, or "
        f"{yaml_line('overlap', names)} in the order in which they are painted.",
    )


def _layers_of(mask: Path) -> int:
    try:
        header = read_header(mask)
    except DataError:  # reported where it is read
        return 0
    return header.channels if header.pages > 1 or header.channels not in _COLORS else 0


def _planes(masks: Sequence[Path]) -> Layers:
    """Channels of arrays of 0 and 1, or 255, of which a pixel may have several or none.

    Where each pixel has exactly one, the arrays are read as labels; equal channels are gray, and
    three of 0 and 255 without any overlap colors.
    """
    channels: set[int] = set()
    is_one_hot = is_gray = True
    overlap, top = False, 0
    for mask in masks:
        if mask.suffix.lower() != ".npy":
            return Layers(0)
        try:
            channels.add(read_header(mask).channels)
            planes = read_planes(mask)
        except DataError:  # reported where it is read
            return Layers(0)
        if len(channels) > 1 or planes is None:
            return Layers(0)
        counts = np.count_nonzero(planes, axis=2)
        is_one_hot = is_one_hot and bool((counts == 1).all())
        overlap = overlap or bool((counts > 1).any())
        top = max(top, int(planes.max(initial=0)))
        is_gray = is_gray and bool((planes == planes[..., :1]).all())
    or_colors = top > 1 and channels == {3}
    none = is_one_hot or is_gray or (or_colors and not overlap)
    return Layers(0) if none else Layers(channels.pop(), or_colors)


def split_layers(place: Place, layout: Layout, layers: int) -> Place:
    """Place where each page of the masks is the mask of a class, in a file of its own."""
    files = [file for sample in layout.samples for file in (sample.image, *sample.masks)]
    write = partial(_write, layout, layers, place.description or Description())
    # What lies beside the masks, such as lists of names and splits, decides what is written too.
    beside = [(s.id, s.split, s.case, s.label) for s in (*layout.samples, *layout.maskless)]
    version = zlib.crc32(repr((_VERSION, layout.class_map, beside)).encode())
    return convert(place, "pages with a class each", version, files, write, settled=("classes",))


def _write(
    layout: Layout, layers: int, description: Description, folder: Path
) -> list[Note | Doubt]:
    settle_leftovers(layout, description)
    listed = [entry.name for entry in layout.class_map.entries] if layout.class_map else []
    names = description.classes or listed or [f"class_{n + 1}" for n in range(layers)]
    if len(names) == layers + 1 and names[0].casefold() in BACKGROUND_NAMES:
        names = names[1:]
    if len(names) != layers:
        raise DataError(
            f"The masks have {layers} pages or channels, one for each class, but there are "
            f"{len(names)} names: {first_few(names, 8)}; expected one name for each."
        )
    samples = [_split(sample, names, folder / "masks") for sample in layout.samples]
    text = f"Each page or channel of a mask holds one class, in the order {first_few(names, 8)}."
    write_described(folder, samples, {"classes": _with_background(names)}, [text])
    return [Note("class_pages", text), *layout.notes, *layout.doubts]


def _with_background(names: Sequence[str]) -> list[str]:
    known = any(name.casefold() in BACKGROUND_NAMES for name in names)
    return [*names] if known else ["background", *names]


def _split(sample: Sample, names: Sequence[str], folder: Path) -> Sample:
    """Sample with a PNG for each page; `DataError` of pages with more than two values."""
    if not sample.masks:
        return sample
    pixels = read_image(sample.masks[0])
    paths = []
    for layer, name in enumerate(names):
        values = pixels[..., layer]
        if len(np.unique(values)) > 2:
            raise DataError(
                f"Page or channel {layer + 1} of {sample.masks[0]} holds more than two values; "
                f"expected 0 where the class {name} is not, and one other value."
            )
        path = folder / f"{sample.id}-{layer + 1}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, np.where(values > 0, 255, 0).astype(np.uint8))
        paths.append(path)
    return replace(sample, masks=tuple(paths), classes=tuple(names))
