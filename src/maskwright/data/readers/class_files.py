"""Masks that show one class each: their encoding, and doubts about what they hold together."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import replace
from itertools import combinations_with_replacement
from pathlib import Path
from typing import NamedTuple

import numpy as np

from maskwright.data.encodings import ClassMap, Encoding, MaskContents
from maskwright.data.encodings.contents import MANY_VALUES
from maskwright.data.encodings.encoding import Value, format_value
from maskwright.data.encodings.gray_masks import HALF
from maskwright.data.parallel import in_threads
from maskwright.data.readers.description import MULTILABEL, Description
from maskwright.data.readers.stated_encoding import stated_value
from maskwright.data.samples import Doubt, Sample, counted, examples, first_few, yaml_line
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import natural_key, read_mask
from maskwright.labels import BACKGROUND_NAMES, IGNORE_LABEL, Color, Labels, parse_color

_TWIN = 0.5  # IoU from which masks are two of the same thing rather than two classes


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
    description: Description,
) -> ClassFiles:
    """Encoding, classes and order of masks that show one class each.

    `DataError` where some masks have a class and others not, `ConfigError` where data.yaml names
    other classes.
    """
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
    doubts = _several_values(samples, contents, threshold, description)
    values: dict[Value, int] = {0: 0, 1: 1, **dict.fromkeys(ignored, IGNORE_LABEL)}
    encoding = Encoding("layers", values, threshold)
    if description.overlap is None and not doubts:
        doubts = _overlaps(samples, painted, encoding)
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
        tuple(doubts),
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


def _grays(content: MaskContents) -> set[int]:
    values = content.values if content.palette is None else content.as_colors()
    return {max(value) if isinstance(value, tuple) else value for value in values}


def _threshold(contents: Iterable[MaskContents], ignored: Set[Value]) -> int:
    """Value from which pixels belong to the class: above 0, or half of 255 for smooth edges."""
    grays = {gray for content in contents for gray in _grays(content)} - {0, *ignored}
    return HALF if sum(gray < 255 for gray in grays) >= MANY_VALUES and max(grays) == 255 else 1


def _several_values(
    samples: Sequence[Sample],
    contents: Mapping[Path, MaskContents],
    threshold: int,
    description: Description,
) -> list[Doubt]:
    """Doubt about files of one class that hold several values: numbers of objects, or classes."""
    if threshold > 1 or description.objects is not None or description.encoding is not None:
        return []
    masks = [mask for sample in samples for mask in sample.masks]
    others = {0, *map(stated_value, description.ignore)}
    others |= {(0, 0, 0)}
    several = [m for m in masks if m in contents and len(contents[m].values.keys() - others) > 1]
    if not several:
        return []
    return [
        Doubt(
            "several_values",
            f"{counted(len(several), 'mask')} of single classes hold several values "
            f"({examples([mask.name for mask in several])}): numbers of objects, or labels of "
            f"classes of their own.",
            "Write `objects: united` into data.yaml if all that is not 0 is of the class, `ignore: "
            "[128]` with the values that do not count, or name those that hold all classes under "
            "`masks`, by the patterns that are told above.",
        )
    ]


def _overlaps(samples: Sequence[Sample], names: Sequence[str], encoding: Encoding) -> list[Doubt]:
    """Doubt about pixels that are of several classes."""

    def shared(sample: Sample) -> Counter[tuple[str, str]]:
        layers: dict[str, np.ndarray] = {}
        with suppress(DataError):  # reported where the sample is read
            for name, path in zip(sample.classes, sample.masks, strict=True):
                inside = encoding.decode(read_mask(path), path) == 1
                layers[name] = layers[name] | inside if name in layers else inside
        pixels: Counter[tuple[str, str]] = Counter()
        for a, b in combinations_with_replacement(layers, 2):
            if a in names and b in names and layers[a].shape == layers[b].shape:
                pixels[min(a, b), max(a, b)] = int(np.count_nonzero(layers[a] & layers[b]))
        return pixels

    several = [sample for sample in samples if len(set(sample.classes)) > 1]
    by_sample = list(in_threads(shared, several, "Comparing classes"))
    total: Counter[tuple[str, str]] = sum(by_sample, Counter())
    pairs = {pair: n for pair, n in total.items() if n and pair[0] != pair[1]}
    if not pairs:
        return []
    (a, b), most = max(pairs.items(), key=lambda item: item[1])
    iou = most / (total[a, a] + total[b, b] - most)
    order = sorted(names, key=lambda name: -total[name, name])  # else the large cover the small
    images = sum(any(n and x != y for (x, y), n in pixels.items()) for pixels in by_sample)
    twins = f" With an IoU of {iou:.2f}, they may be two masks of the same thing." * (iou > _TWIN)
    return [
        Doubt(
            "overlapping_classes",
            f"Masks of several classes overlap in {counted(images, 'image')}, most those of {a} "
            f"and {b} ({most:,} px), but a pixel has one class.{twins}",
            f"Write `overlap: multilabel` into data.yaml if a pixel may belong to several, or "
            f"{yaml_line('overlap', order)}, in the order in which the classes are painted, the "
            f"last on top; or name one of them under `masks`.",
        )
    ]


def labels_as_classes(samples: Sequence[Sample]) -> list[Sample]:
    """Samples whose masks show the classes that label them, if all are labeled and some several."""
    masked = [sample for sample in samples if sample.masks]
    labeled = all(len(s.labels) == len(s.masks) and all(s.labels) for s in masked)
    if not labeled or not any(len(s.masks) > 1 for s in masked):
        return list(samples)
    return [replace(s, classes=s.labels if s.masks else ()) for s in samples]
