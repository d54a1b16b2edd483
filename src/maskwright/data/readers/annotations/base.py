"""What every format of annotations gives: images with their objects, classes by name."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from maskwright.data.readers.annotations.shapes import Box, Shape, united
from maskwright.data.readers.description import Description
from maskwright.data.samples import Doubt, Note, counted
from maskwright.errors import ConfigError, DataError
from maskwright.labels import BACKGROUND_NAMES, MAX_CLASSES, Labels, parse_color


@dataclass(frozen=True)
class AnnotatedObject:
    """An object of an image.

    Args:
        class_name: Name of its class; `""` for a region whose pixels are ignored.
        shape: Draws its mask; a `Box` where there is only that.
        name: For messages, as `17 of a.jpg`.
        crowd: Whether it is a region of many objects of the class, ignored where no other is.
        cuts: Whether it is no object, but cut out of those below it.
    """

    class_name: str
    shape: Shape
    name: str
    crowd: bool = False
    cuts: bool = False


@dataclass(frozen=True)
class AnnotatedImage:
    """An image with its objects, those above others last.

    Args:
        split: As the annotations state it, or `None`.
        size: Height and width that the annotations state, or `None`.
        case: Patient, scene or video, or `None` where the image is a case of its own.
    """

    image: Path
    objects: list[AnnotatedObject] = field(default_factory=list)
    split: str | None = None
    size: tuple[int, int] | None = None
    case: str | None = None


# By code: one of what is skipped, several, and the note on them.
_SKIPPED = {
    "missing_images": (
        *("image that is", "images that are"),
        "Skipped: {count} not there, the first {first}.",
    ),
    "ambiguous_images": (
        *("image whose name fits", "images whose names fit"),
        "Skipped: {count} several files, the first {first}; name images by their paths, and "
        "give each another stem.",
    ),
    "not_annotated": (
        *("image", "images"),
        "Skipped: {count} without annotations, the first {first}.",
    ),
    "broken_files": ("file", "files", "Skipped: {count} of annotations, the first {first}"),
    "broken_annotations": ("image", "images", "Skipped: {count}, the first {first}"),
    "without_area": (
        *("object", "objects"),
        "Skipped: {count} without a pixel, such as polygons of fewer than three points, the first "
        "{first}; draw it again, or remove it.",
    ),
    "boxes_beyond_image": (
        *("box that reaches beyond its", "boxes that reach beyond their"),
        "Not used: {count} image, the first of object {first}; boxes are made from masks.",
    ),
    "crowds": (
        *("crowd", "crowds"),
        "Skipped: {count}, as no region; pixels of crowds alone are ignored.",
    ),
}
_OBJECTS = frozenset({"without_area", "boxes_beyond_image", "crowds"})


@dataclass
class Annotations:
    """What the files of a data set annotate.

    Args:
        classes: Names in the order of their labels, as far as the files list them; background need
            not be among them.
        rectangles: Whether boxes may be the outlines of objects, drawn by people as such.
        separate: Whether objects are annotated one by one, not a mask for each class.
        overlap: Classes in the order in which masks are painted, as data.yaml states it, or
            `"multilabel"`; `None` for the order of the objects.
        skipped: What is skipped, by its code.
        known: Images that annotations are of, used or not, and stems of those of broken files.
    """

    images: list[AnnotatedImage] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    rectangles: bool = False
    separate: bool = True
    overlap: Literal["multilabel"] | list[str] | None = None
    skipped: dict[str, list[str]] = field(default_factory=dict)
    known: set[Path | str] = field(default_factory=set)
    remarks: list[Note | Doubt] = field(default_factory=list)

    def skip(self, code: str, name: str) -> None:
        """Record what is skipped, by a code of the table above."""
        self.skipped.setdefault(code, []).append(name)

    @contextmanager
    def reading(self, path: Path, title: str) -> Iterator[None]:
        """Skip a file where it is not as its format, `title`, has it; see `malformed`."""
        try:
            with malformed(path, title):
                yield
        except DataError as error:
            self.skip("broken_files", str(error))
            self.known.add(path.stem)

    def notes(self) -> list[Note]:
        """A note on what is skipped for each reason."""
        return [
            Note(
                code,
                text.format(count=counted(len(names), single, several), first=names[0]),
                left_out=0 if code in _OBJECTS else len(names),
            )
            for code, (single, several, text) in _SKIPPED.items()
            if (names := self.skipped.get(code))
        ]


def labels_of(annotations: Annotations, source: Path, description: Description) -> Labels:
    """Classes as data.yaml lists them, else background first and then as the files list them.

    Where there are too many, those that occur. `ConfigError` where data.yaml lacks one of them.
    """
    objects = (each for image in annotations.images for each in image.objects if not each.cuts)
    used = {each.class_name for each in objects if each.class_name}
    "".join([*annotations.classes, *used]).encode()  # half a surrogate pair is no text
    if description.classes is not None:
        missing = sorted(used - set(description.classes) - set(BACKGROUND_NAMES))
        backgrounds = [n for n in description.classes if n.casefold() in BACKGROUND_NAMES]
        if missing or not backgrounds:
            raise ConfigError(
                f"data.yaml lists the classes {', '.join(description.classes)[:200]}, without "
                f"{missing[0] if missing else 'background'}, which {source} has."
            )
        stated = description.colors
        colors = None if stated is None else [parse_color(color) for color in stated]
        return Labels.create(description.classes, colors)
    listed = dict.fromkeys([*annotations.classes, *sorted(used - set(annotations.classes))])
    background = [name for name in listed if name.casefold() in BACKGROUND_NAMES]
    names = [name for name in listed if name not in background]
    if len(names) >= MAX_CLASSES:
        names = [name for name in names if name in used]
    if len(names) >= MAX_CLASSES:
        raise DataError(
            f"{source} annotates {len(names)} classes; expected at most {MAX_CLASSES - 1}, as "
            f"labels are bytes."
        )
    return Labels.create([background[0] if background else "background", *names])


def is_background(each: AnnotatedObject) -> bool:
    """Whether an object is no object, by the name of its class."""
    return each.class_name.casefold() in BACKGROUND_NAMES


def has_box_only(objects: Sequence[AnnotatedObject]) -> bool:
    """Whether the mask of one of the objects is not known."""
    return any(isinstance(each.shape, Box) for each in objects)


def join_groups(
    objects: Iterable[tuple[AnnotatedObject, Hashable]],
) -> list[AnnotatedObject]:
    """Objects of which those of one class in one group, other than `None`, are parts of one."""
    joined: list[AnnotatedObject] = []
    places: dict[tuple[str, Hashable], int] = {}
    for each, group in objects:
        key = (each.class_name, group)
        if group is None or isinstance(each.shape, Box):
            joined.append(each)
        elif key in places:
            first = joined[places[key]]
            joined[places[key]] = replace(first, shape=united(first.shape, each.shape))
        else:
            places[key] = len(joined)
            joined.append(each)
    return joined


def size_of(height: Any, width: Any) -> tuple[int, int] | None:
    """Stated size of an image; `None` where a side is missing."""
    return None if height is None or width is None else (int(height), int(width))


@contextmanager
def malformed(source: Path, title: str) -> Iterator[None]:
    """Convert what wrong types and numbers raise to a `DataError` that names the file."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise DataError(
            f"{source} holds a name that is no text, {error.object[:60]!r}; expected names of "
            f"images and classes in Unicode."
        ) from None
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError) as error:
        reason = f"{error!r:.200}"
        raise DataError(f"The annotations in {source} are not {title}: {reason}.") from None
