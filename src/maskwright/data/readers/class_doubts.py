"""Doubts about masks of one class each: several values in one of them, and overlapping ones."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np

from maskwright.data.encodings import Encoding, MaskContents
from maskwright.data.encodings.contents import MANY_VALUES
from maskwright.data.encodings.encoding import Value
from maskwright.data.encodings.gray_masks import HALF
from maskwright.data.parallel import in_threads
from maskwright.data.readers.description import Description
from maskwright.data.readers.folders.doubts import masks_line
from maskwright.data.readers.stated_encoding import stated_value
from maskwright.data.samples import Doubt, Sample, counted, examples, join_words, yaml_line
from maskwright.errors import DataError
from maskwright.imageio import read_mask

_MAX_SETS = 3  # sets of masks that a message offers
_TWIN = 0.5  # IoU from which masks are two of the same thing rather than two classes
_BLACK: set[Value] = {0, (0, 0, 0)}


def gray_pixels(contents: Iterable[MaskContents], ignored: Set[Value]) -> Counter[int]:
    """Pixels of each gray value but 0 and those that are ignored, of colors their brightest."""
    total: Counter[int] = Counter()
    for content in contents:
        values = content.values if content.palette is None else content.as_colors()
        for value, count in values.items():
            total[max(value) if isinstance(value, tuple) else value] += count
    return Counter({value: count for value, count in total.items() if value not in {0, *ignored}})


@dataclass(frozen=True)
class ClassDoubts:
    """Masks of one class each, to be asked for doubts.

    `root` is the folder of the data set, `None` where data.yaml states no masks of it.
    """

    samples: Sequence[Sample]
    names: Sequence[str]
    description: Description
    root: Path | None

    def of_values(self, contents: Mapping[Path, MaskContents]) -> list[Doubt]:
        """Doubt about files that hold several values: numbers of objects, or labels of classes."""
        if self.description.objects is not None or self.description.encoding is not None:
            return []
        ignored = {*_BLACK, *map(stated_value, self.description.ignore)}
        every = {m for m, content in contents.items() if len(content.values.keys() - ignored) > 1}
        several = {
            name: [mask for of in self._masks(name).values() for mask in of if mask in every]
            for name in self.names
        }
        masks = [mask for of in several.values() for mask in of]
        if not masks:
            return []
        values = gray_pixels(contents.values(), ignored)
        # A few masks that hold several values are no set of masks of all classes.
        most = {name: len(files) > len(self._masks(name)) / 2 for name, files in several.items()}
        names = [name for name in self.names if most[name]]
        lines = self._lines(sorted(names, key=lambda name: contents[several[name][0]].colored))
        options = [f"{join_words(lines, ' or ')} for masks that hold all classes"] if lines else []
        if len(values) == 2:
            rare = min(values, key=lambda value: values[value])
            options.append(f"{yaml_line('ignore', [rare])} if {rare} does not count")
        if not options and len(values) > MANY_VALUES and max(values) == 255:
            options.append(f"`threshold: {HALF}` if their edges are smooth")
        if not options or any(contents[mask].values.keys() & _BLACK for mask in masks):
            options.append("`objects: united` if all that is not 0 is of the class")
        return [
            Doubt(
                "several_values",
                f"{counted(len(masks), 'mask')} of single classes hold several values "
                f"({examples([mask.name for mask in masks])}): numbers of objects, or labels of "
                f"classes of their own.",
                f"Write into data.yaml: {join_words(options, ', or ')}.",
            )
        ]

    def of_overlaps(self, encoding: Encoding) -> list[Doubt]:
        """Doubt about pixels that are of several classes."""

        def shared(sample: Sample) -> Counter[tuple[str, str]]:
            layers: dict[str, np.ndarray] = {}
            with suppress(DataError):  # reported where the sample is read
                for name, path in zip(sample.classes, sample.masks, strict=True):
                    inside = encoding.decode(read_mask(path), path) == 1
                    layers[name] = layers[name] | inside if name in layers else inside
            pixels: Counter[tuple[str, str]] = Counter()
            for a, b in combinations_with_replacement(layers, 2):
                if {a, b} <= {*self.names} and layers[a].shape == layers[b].shape:
                    pixels[min(a, b), max(a, b)] = int(np.count_nonzero(layers[a] & layers[b]))
            return pixels

        several = [sample for sample in self.samples if len(set(sample.classes)) > 1]
        by_sample = list(in_threads(shared, several, "Comparing classes"))
        total: Counter[tuple[str, str]] = sum(by_sample, Counter())
        pairs = {pair: n for pair, n in total.items() if n and pair[0] != pair[1]}
        if not pairs:
            return []
        (a, b), most = max(pairs.items(), key=lambda item: item[1])
        iou = most / (total[a, a] + total[b, b] - most)
        # Else the large cover the small.
        order = sorted(self.names, key=lambda name: -total[name, name])
        images = sum(any(n and x != y for (x, y), n in pixels.items()) for pixels in by_sample)
        twins = f" With an IoU of {iou:.2f}, they may be two masks of the same thing."
        options = [
            "`overlap: multilabel` if a pixel may belong to several",
            f"{yaml_line('overlap', order)} for the order in which they are painted, the last on "
            f"top",
        ]
        if lines := self._lines([a, b]):
            options.insert(0 if iou > _TWIN else 2, f"{join_words(lines, ' or ')} for one of them")
        return [
            Doubt(
                "overlapping_classes",
                f"Masks of several classes overlap in {counted(images, 'image')}, most those of "
                f"{a} and {b} ({most:,} px), but a pixel has one class.{twins * (iou > _TWIN)}",
                f"Write into data.yaml: {join_words(options, ', or ')}.",
            )
        ]

    def _masks(self, name: str) -> dict[Path, list[Path]]:
        """Masks of a class by their images."""
        result: dict[Path, list[Path]] = {}
        for sample in self.samples:
            for mask, of in zip(sample.masks, sample.classes, strict=True):
                if of == name:
                    result.setdefault(sample.image, []).append(mask)
        return result

    def _lines(self, names: Sequence[str]) -> list[str]:
        """Lines of data.yaml that take masks of one class alone, for the first classes."""
        if self.root is None:
            return []
        masks = [self._masks(name) for name in names[:_MAX_SETS]]
        lines = [masks_line(self.root, self.description, each) for each in masks]
        return [line for line in lines if line]
