"""What every format of annotations gives: images with their objects, classes by name."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from maskwright.data.readers.annotations.shapes import Box, Shape
from maskwright.data.samples import Doubt, Note, counted
from maskwright.errors import DataError
from maskwright.labels import BACKGROUND_NAMES, MAX_CLASSES, Labels


@dataclass(frozen=True)
class AnnotatedObject:
    """An object of an image.

    Args:
        class_name: Name of its class.
        shape: Draws its mask; a `Box` where there is only that.
        name: For messages, as `17 of a.jpg`.
        crowd: Whether it is a region of many objects, whose pixels are ignored.
    """

    class_name: str
    shape: Shape
    name: str
    crowd: bool = False


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
        "Skipped: {count} several files, the first {first}; name images by their paths.",
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


@dataclass
class Annotations:
    """What the files of a data set annotate.

    Args:
        classes: Names in the order of their labels, as far as the files list them; background need
            not be among them.
        rectangles: Whether boxes may be the outlines of objects, drawn by people as such.
        skipped: What is skipped, by its code.
    """

    images: list[AnnotatedImage] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    rectangles: bool = False
    skipped: dict[str, list[str]] = field(default_factory=dict)
    remarks: list[Note | Doubt] = field(default_factory=list)

    def skip(self, code: str, name: str) -> None:
        """Record what is skipped, by a code of the table above."""
        self.skipped.setdefault(code, []).append(name)

    def notes(self) -> list[Note]:
        """A note on what is skipped for each reason."""
        return [
            Note(code, text.format(count=counted(len(names), single, several), first=names[0]))
            for code, (single, several, text) in _SKIPPED.items()
            if (names := self.skipped.get(code))
        ]

    def labels(self, source: Path) -> Labels:
        """Classes, background first; only those that occur where there are too many."""
        used = {each.class_name for image in self.images for each in image.objects}
        listed = dict.fromkeys([*self.classes, *sorted(used - set(self.classes))])
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
