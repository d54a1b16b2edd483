"""Masks that number their objects, by values or colors, and one file for each object."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from maskwright.data.encodings.contents import MANY_VALUES
from maskwright.data.encodings.encoding import Value, format_value
from maskwright.data.encodings.evidence import InferredEncoding, MaskEvidence, gray_encoding
from maskwright.data.encodings.gray_masks import HALF
from maskwright.data.encodings.named_masks import name_classes
from maskwright.data.samples import Doubt
from maskwright.errors import DataError
from maskwright.labels import MAX_CLASSES

_MIN_NUMBERS = 20  # 8-bit masks with more values than this, one blob each, number objects
_MANY_VALUES = 10  # of one mask each, from which they are no classes
_MANY_COLORS = 8  # without names, each one blob in every mask: perhaps objects
_MOST = 0.9  # share of masks, values or blobs that must be as expected
_NOISE = 0.3  # share of pixels in no flat area from which colors are noise
_FULL = 0.95  # share of pixels with a number from which these count segments, ground included


@dataclass(frozen=True)
class _Numbers:
    """What tells numbers of objects from classes."""

    masks: MaskEvidence

    @cached_property
    def objects(self) -> list[list[Value]]:
        """Values but 0, black and void of each mask that has some."""
        zero: set[Value] = {0, (0, 0, 0), *self.void}
        each = [[v for v in c.values if v not in zero] for c in self.masks.contents]
        return [values for values in each if values]

    @cached_property
    def void(self) -> list[int]:
        """255 in a list, where it is far above all other values; else empty."""
        values = sorted(self.masks.counts)
        is_void = values[-1:] == [255] and len(values) < 200 and not self.masks.deep
        return [255] if is_void else []

    @cached_property
    def masks_of(self) -> Counter[Value]:
        """In how many masks each value occurs."""
        return Counter(value for values in self.objects for value in values)

    @property
    def single(self) -> bool:
        """Whether nearly all values are one connected blob in their mask."""
        single, counted = (sum(c.blobs[i] for c in self.masks.contents) for i in (0, 1))
        return counted > 0 and single >= _MOST * counted

    @property
    def on_zero(self) -> bool:
        """Whether nearly all masks hold 0 too, or black."""
        contents = self.masks.contents
        with_zero = sum(0 in c.values or (0, 0, 0) in c.values for c in contents)
        return with_zero >= _MOST * len(contents)

    @property
    def most(self) -> int:
        """Largest number of objects in a mask."""
        return max(map(len, self.objects), default=0)

    @property
    def consecutive(self) -> bool:
        """Whether masks count up to their own number of objects, which is not mostly the same.

        Values count from 1; colors follow one list, of which every mask uses the first ones.
        """
        colors = any(isinstance(value, tuple) for value in self.masks_of)
        order = {v: n for n, (v, _) in enumerate(self.masks_of.most_common(), start=1)}
        tops = [
            max(order[v] if colors or not isinstance(v, int) else v for v in values)
            for values in self.objects
        ]
        enough = sum(len(v) >= _MOST * top for v, top in zip(self.objects, tops, strict=True))
        usual, times = Counter(tops).most_common(1)[0] if tops else (0, 0)
        # A second value in few masks may be a second object; a third beside two is a rare class.
        differ = len(set(tops)) > 1 and (usual == 1 or times < _MOST * len(tops))
        return (differ or len(tops) == 1) and enough >= _MOST * len(tops)

    @property
    def unique(self) -> bool:
        """Whether nearly all values occur in one mask alone, as hardly any class would."""
        once = sum(count == 1 for count in self.masks_of.values())
        return len(self.objects) > 1 and self.most > 1 and once >= _MOST * len(self.masks_of)


def object_files(masks: MaskEvidence) -> InferredEncoding | None:
    """A mask file for each object of an image, or numbers as stated; `None` where it is not so."""
    if not masks.file_per_object:
        return None
    grays = {max(v) if isinstance(v, tuple) else v for v in masks.totals} - {0}
    partial = sum(value < 255 for value in grays) >= MANY_VALUES
    ends = sum(n for v, n in masks.totals.items() if v in (255, (255, 255, 255)))
    inner = sum(n for v, n in masks.totals.items() if v not in (0, (0, 0, 0)))
    smooth = partial and max(grays) == 255 and ends > 0.3 * inner
    if not smooth and _Numbers(masks).most > 1:
        return name_classes(_numbered(masks), masks.class_map, [0, 1])
    how = f"cut at {HALF}, as its edge is smooth" if smooth else "whatever is not 0 belongs to it"
    encoding = _objects("Each mask file holds one object", how, HALF if smooth else 1)
    return name_classes(encoding, masks.class_map, [0, 1])


def object_numbers(masks: MaskEvidence) -> InferredEncoding | None:
    """Masks that number their objects for certain; `DataError` where their ground is not black."""
    if masks.kind not in (None, "objects") or _names_classes(masks):
        return None
    numbers = _Numbers(masks)
    colored = any(content.colored for content in masks.contents)
    if not numbers.objects or (colored and masks.thin_share > _NOISE):
        return None
    least = MANY_VALUES if masks.deep else _MIN_NUMBERS
    counted = numbers.consecutive and numbers.single and numbers.most >= least
    many = masks.deep and numbers.single and len(numbers.masks_of) > MAX_CLASSES
    one_class = (
        masks.class_map is not None
        and not masks.class_map.min_values
        and len(masks.class_map.objects) == 1
        and numbers.consecutive
        and numbers.single
        and numbers.most > 1
        and len(numbers.objects) > 1
    )
    several = len(numbers.masks_of) >= max(_MANY_VALUES, 1.5 * len(numbers.objects))
    distinct = numbers.unique and several and (colored or numbers.single)
    if not (counted or many or one_class or distinct):
        return None
    if distinct and not numbers.on_zero:
        return _segments(masks) if not _common(numbers) else _wrong_ground(numbers)
    named = name_classes(_numbered(masks, numbers.void), masks.class_map, [0, 1])
    ground = sum(n for value, n in masks.totals.items() if value in (0, (0, 0, 0)))
    if distinct and ground < (1 - _FULL) * sum(masks.totals.values()):
        return _segments(masks)
    return named


def _names_classes(masks: MaskEvidence) -> bool:
    """Whether a class map beside the data, or data.yaml, has several classes that fit."""
    class_map = masks.class_map
    if class_map is None or class_map.min_values or len(class_map.objects) < 2:
        return False
    if any(content.colored for content in masks.contents):
        return bool(class_map.colors.keys() & masks.colors.keys() - {(0, 0, 0)})
    return (
        max(masks.counts, default=0)
        <= max(MAX_CLASSES, *(entry.value or 0 for entry in class_map.entries))
        and len(masks.counts.keys() - {255}) <= len(class_map.entries) + 1
    )


def _common(numbers: _Numbers) -> bool:
    """Whether one color is in nearly all masks."""
    return numbers.masks_of.most_common(1)[0][1] >= _MOST * len(numbers.masks.contents)


def _wrong_ground(numbers: _Numbers) -> InferredEncoding:
    ground = format_value(numbers.masks_of.most_common(1)[0][0])
    raise DataError(
        f"Each color but {ground} is in one mask only, so that they number objects, on a "
        f"background of {ground}; expected 0 or black as background. Save the masks again with it."
    )


def _segments(masks: MaskEvidence) -> InferredEncoding:
    """Colors that number segments, ground included, with a doubt: their classes are not in them."""
    doubt = Doubt(
        "segment_ids",
        "The colors of the masks are of one mask each and cover nearly all pixels: they number "
        "segments, as in panoptic masks of COCO, whose classes are in a JSON file.",
        "Open that JSON file; or write `objects: instances` into data.yaml, to read each color as "
        "an object of one class, or `encoding: colors`, to read each as a class.",
    )
    start = "Each segment has a color of its own in the mask"
    return replace(_objects(start, "whatever is not 0 belongs to it", 1), doubts=(doubt,))


def object_doubts(masks: MaskEvidence) -> Iterator[Doubt]:
    """Doubt whether values or colors that are read as classes number objects."""
    numbers = _Numbers(masks)
    if masks.kind is not None or masks.file_per_object or _names_classes(masks):
        return
    if numbers.most < 2 or len(numbers.objects) < 2 or not (numbers.single and numbers.on_zero):
        return
    colored = any(content.colored for content in masks.contents)
    what, encoding = ("color", "colors") if colored else ("value", "indices")
    many = len(numbers.masks_of) >= (_MANY_COLORS if colored else _MIN_NUMBERS)
    if numbers.consecutive:
        each = f"holds the first of {len(numbers.masks_of)} {what}s, up to a number of its own"
    elif many and masks.thin_share < _NOISE:
        each = f"holds some of {len(numbers.masks_of)} {what}s without names"
    elif numbers.unique:
        each = f"holds {what}s that no other has"
    else:
        return
    yield Doubt(
        "objects_or_classes",
        f"Each mask {each}, and each {what} is one connected area: they may number the objects of "
        f"an image, or be classes.",
        f"Write `objects: instances`{' and `ignore: [255]`' if numbers.void else ''} into "
        f"data.yaml for objects, or `encoding: {encoding}` for classes.",
    )


def _numbered(masks: MaskEvidence, void: Sequence[int] = ()) -> InferredEncoding:
    """Each value or color but 0 is an object."""
    colored = any(content.colored for content in masks.contents)
    what, ground = ("color", "black") if colored else ("number", "0")
    return _objects(f"Each {what} in a mask is one object", f"{ground} is background", 1, void)


def _objects(start: str, how: str, threshold: int, void: Sequence[int] = ()) -> InferredEncoding:
    text = f"{start} ({how}); united they are one class"
    encoding = gray_encoding("objects", {0: 0, 1: 1}, ("background", "object"), text, void)
    return replace(encoding, threshold=threshold)
