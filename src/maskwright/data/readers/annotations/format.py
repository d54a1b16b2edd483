"""What a format of annotations is, and its reader, which draws it once into the cache."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from glob import iglob
from pathlib import Path

from maskwright.data.readers.annotations.base import Annotations, labels_of, malformed
from maskwright.data.readers.annotations.doubts import (
    join_repeated,
    settle_boxes,
    settle_others,
)
from maskwright.data.readers.annotations.draw import FORMAT_VERSION, draw_all
from maskwright.data.readers.annotations.files import ImageFiles, files_below
from maskwright.data.readers.annotations.spellings import unite_spellings
from maskwright.data.readers.base import Place, Reader, Recognition
from maskwright.data.readers.conversion import convert
from maskwright.data.readers.description import MULTILABEL, OWN_LAYOUT, Description
from maskwright.data.samples import Doubt, Note
from maskwright.errors import DataError

_SETTINGS = frozenset({"classes", "colors", "annotations", "boxes", "unannotated"})


@dataclass(frozen=True)
class Source:
    """Where annotations lie.

    Args:
        files: Those of the format; `stated` if data.yaml names them.
        images: Those below the root.
        description: What data.yaml states.
        extracted: Folder for images that the annotations hold themselves.
    """

    root: Path
    files: Sequence[Path]
    stated: bool
    images: ImageFiles
    description: Description
    extracted: Path


@dataclass(frozen=True)
class AnnotationFormat:
    """A format of annotations.

    Args:
        title: For people, as `"COCO annotations"`.
        source: A file that can be opened; `""` for none.
        suffixes: Of its files.
        recognize: How sure it is of a folder or file, and the name of what tells; or `None`.
        read: Parses the files; what wrong types raise becomes one sentence.
        settings: Keys of data.yaml that it follows, besides those that all do.
    """

    title: str
    source: str
    suffixes: frozenset[str]
    recognize: Callable[[Path], tuple[float, str] | None]
    read: Callable[[Source], Annotations]
    settings: frozenset[str] = frozenset()

    def reader(self) -> Reader:
        """Reader that draws what the annotations say into the cache."""
        return Reader(self.title, self.source, partial(_recognize, self))


def _recognize(form: AnnotationFormat, place: Place) -> Recognition | None:
    description = place.description
    if description is not None and OWN_LAYOUT & description.model_fields_set:
        return None
    stated = _stated_files(place)
    for path in [place.path] if stated is None else stated:
        if recognized := form.recognize(path):
            confidence, reason = recognized if stated is None else (1.0, path.name)
            return Recognition(confidence, reason, partial(_convert, form, place))
    return None


def _stated_files(place: Place) -> list[Path] | None:
    """Files that data.yaml states as the annotations; `DataError` where one fits none."""
    patterns = place.description.annotations if place.description else None
    if patterns is None:
        return None
    files: list[Path] = []
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        path = place.path / pattern
        names = [path] if path.exists() else map(Path, sorted(iglob(str(path), recursive=True)))  # noqa: PTH207
        fitting = [name for name in names if name.is_file()]
        if not fitting:
            raise DataError(f"data.yaml states the annotations {pattern}, but {path} is no file.")
        files += fitting
    return files


def _convert(form: AnnotationFormat, place: Place) -> Place:
    """Draw a data set as PNG with a manifest into a cache, unless it is there and unchanged."""
    path = root = place.path
    if path.is_file():
        root = path.parent.parent if path.parent.name == "annotations" else path.parent
    images = ImageFiles(root)
    stated = _stated_files(place)
    files = stated or ([path] if path.is_file() else files_below(root, form.suffixes))
    description = place.description or Description()

    def write(folder: Path) -> list[Note | Doubt]:
        with malformed(path, form.title):
            source = Source(root, files, stated is not None, images, description, folder / "images")
            annotations = form.read(source)
            unite_spellings(annotations, description.classes)
            settle_others(annotations, images.paths, root, description.unannotated)
            settle_boxes(annotations, description.boxes, path)
            join_repeated(annotations, stated is not None)
            annotations.overlap = description.overlap
            annotations.separate |= description.overlap == MULTILABEL
            return draw_all(folder, path, annotations, labels_of(annotations, path, description))

    return convert(
        replace(place, source=str(root)),
        form.title,
        FORMAT_VERSION,
        [*images.paths, *files],
        write,
        settled=_SETTINGS | form.settings,
    )
