"""Masks that show one class each: their encoding, and doubts about what they hold together."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from maskwright.data.encodings import ClassMap, Encoding, MaskContents
from maskwright.data.encodings.contents import MANY_VALUES
from maskwright.data.encodings.encoding import Value, format_value
from maskwright.data.encodings.gray_masks import HALF
from maskwright.data.readers.base import Place
from maskwright.data.readers.class_doubts import ClassDoubts, gray_pixels
from maskwright.data.readers.description import MULTILABEL, Description
from maskwright.data.readers.stated_encoding import stated_value
from maskwright.data.samples import (
    Doubt,
    Sample,
    first_few,
)
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import natural_key
from maskwright.labels import BACKGROUND_NAMES, IGNORE_LABEL, Color, Labels, parse_color


class ClassFiles(NamedTuple):
    """How masks of one class each are read, in the order in which the samples have them."""

    samples: list[Sample]
    encoding: Encoding
    labels: Labels
    doubts: tuple[Doubt, ...]


def read_class_files(
    samples: Sequence[Sample],
    contents: Mapping[Path, MaskContents],
    class_map: ClassMap | None,
    place: Place,
) -> ClassFiles:
    """Encoding, classes and order of masks that show one class each.

    `DataError` where some masks have a class and others not, `ConfigError` where data.yaml names
    other classes.
    """
    description = place.description or Description()
    if mixed := [s for s in samples if len(s.classes) != len(s.masks)]:
        raise DataError(
            f"{mixed[0].image} has masks whose class is not stated, while those of other images "
            f"are masks of single classes; state the class of each mask, or of none."
        )
    # Another doubt asks for the classes of masks without a name.
    samples = [_named(sample) for sample in samples]
    names = _names(samples, class_map, description)
    painted = [name for name in names if name.casefold() not in BACKGROUND_NAMES]
    multilabel = description.overlap == MULTILABEL
    order = painted if multilabel else list(description.overlap or painted)
    if sorted(order) != sorted(painted):
        raise ConfigError(
            f"data.yaml states the order {', '.join(order)} under `overlap`; expected each of the "
            f"classes {', '.join(painted)} once."
        )
    ignored = set(map(stated_value, description.ignore))
    if any(isinstance(value, tuple) for value in ignored):
        raise ConfigError("data.yaml ignores a color, but masks of single classes hold no colors.")
    threshold = description.threshold or _threshold(contents.values(), ignored)
    # Of masks that were drawn, no data.yaml states the places.
    root = None if place.title else place.path
    doubts = ClassDoubts(samples, painted, description, root)
    values: dict[Value, int] = {0: 0, 1: 1, **dict.fromkeys(ignored, IGNORE_LABEL)}
    encoding = Encoding("layers", values, threshold)
    found = [] if threshold > 1 else doubts.of_values(contents)
    if description.overlap is None and not found:
        found = doubts.of_overlaps(encoding)
    explanation = (
        f"Each mask file shows one class ({first_few(painted, 8)}): what is "
        f"{'not 0' if threshold == 1 else f'at least {threshold}'} belongs to it"
    )
    if multilabel:
        explanation += "; where they overlap, pixels belong to all of their classes "
        explanation += "(shares of pixels count the smallest alone)"
    elif description.overlap:
        explanation += f"; where they overlap, {order[-1]} is on top"
    rank = {name: place for place, name in enumerate([*names, *order])}
    if ignored:
        explanation += f"; {', '.join(map(format_value, ignored))} is ignored"
    colors = _colors(names, class_map, description)
    return ClassFiles(
        [_sorted(sample, rank) for sample in samples],
        replace(encoding, explanation=f"{explanation}."),
        Labels.create(names, colors),
        tuple(found),
    )


def _names(
    samples: Sequence[Sample], class_map: ClassMap | None, description: Description
) -> list[str]:
    """Names, background first, in the order of data.yaml, else of a class map, else sorted."""
    found = sorted({name for sample in samples for name in sample.classes}, key=natural_key)
    listed = [entry.name for entry in class_map.entries] if class_map else []
    ordered = description.classes or (listed if set(found) <= set(listed) else found)
    if unknown := [name for name in found if name not in ordered]:
        raise ConfigError(
            f"data.yaml lists the classes {', '.join(ordered)}, but there are masks of "
            f"{', '.join(unknown)}."
        )
    backgrounds = [name for name in ordered if name.casefold() in BACKGROUND_NAMES]
    others = [name for name in ordered if name not in backgrounds]
    return [backgrounds[0] if backgrounds else "background", *others]


def _colors(
    names: Sequence[str], class_map: ClassMap | None, description: Description
) -> list[Color] | None:
    """Colors of the classes where data.yaml, or the class map, has one for each."""
    of_name = {entry.name: entry.color for entry in class_map.entries} if class_map else {}
    if description.classes and description.colors:
        pairs = zip(description.classes, map(parse_color, description.colors), strict=False)
        of_name = {names[0]: (0, 0, 0), **dict(pairs)}
    colors = [color for name in names if (color := of_name.get(name)) is not None]
    return colors if len(colors) == len(names) else None


def _named(sample: Sample) -> Sample:
    named = [(m, n) for m, n in zip(sample.masks, sample.classes, strict=True) if n]
    masks, classes = zip(*named, strict=True) if named else ((), ())
    return replace(sample, masks=masks, classes=classes)


def _sorted(sample: Sample, rank: Mapping[str, int]) -> Sample:
    places = sorted(range(len(sample.masks)), key=lambda place: rank[sample.classes[place]])
    return replace(
        sample,
        masks=tuple(sample.masks[place] for place in places),
        classes=tuple(sample.classes[place] for place in places),
    )


def _threshold(contents: Iterable[MaskContents], ignored: Set[Value]) -> int:
    """Value from which pixels belong to the class: above 0, or half of 255 for smooth edges."""
    pixels = gray_pixels(contents, ignored)
    white = pixels.pop(255, 0)
    return HALF if len(pixels) >= MANY_VALUES and 0 < white >= pixels.total() else 1


def labels_as_classes(samples: Sequence[Sample]) -> list[Sample]:
    """Samples whose masks show the classes that label them, if all are labeled and some several."""
    masked = [sample for sample in samples if sample.masks]
    labeled = all(len(s.labels) == len(s.masks) and all(s.labels) for s in masked)
    if not labeled or not any(len(s.masks) > 1 for s in masked):
        return list(samples)
    return [replace(s, classes=s.labels if s.masks else ()) for s in samples]
