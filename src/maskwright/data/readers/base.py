"""What a reader of data sets is: it recognizes a place, says how sure it is, and gives samples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from maskwright.data.encodings.class_map import ClassMap
from maskwright.data.encodings.legends import find_class_map
from maskwright.data.readers.description import Description
from maskwright.data.samples import Doubt, Note, Sample, SkippedFile, first_few

RUN_FILES = frozenset({"model_card.json", "environment.json"})
"""Files of trained models; a folder with one of them holds no data."""


@dataclass(frozen=True)
class Place:
    """Path or name of where a data set may lie, with what a data.yaml states, if one has been read.

    `title` names the format that was converted to what lies here; `notes` and `doubts` are on that
    conversion.
    """

    source: str
    description: Description | None = None
    title: str = ""
    notes: tuple[Note, ...] = ()
    doubts: tuple[Doubt, ...] = ()

    @property
    def path(self) -> Path:
        """The source as a path, which need not exist."""
        return Path(self.source)


@dataclass
class Layout:
    """Samples of a data set, as a reader lists them.

    Args:
        name: For people.
        samples: Those with a mask; `split` is `None` where none is stated.
        maskless: Images without a mask, which show nothing or are not labeled.
        objects: Whether there is one mask file for each object.
        facts: Further facts on samples by id and column, for grouping.
        case_from: Where cases come from: `"folder"` or the name of a column; `""` for nowhere.
        doubts: What data.yaml must settle before the data set is used.
        rivals: What other readers recognize in the same place.
    """

    name: str
    samples: list[Sample]
    skipped: list[SkippedFile] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    class_map: ClassMap | None = None
    objects: bool = False
    facts: dict[str, dict[str, str]] = field(default_factory=dict)
    case_from: str = ""
    doubts: list[Doubt] = field(default_factory=list)
    maskless: list[Sample] = field(default_factory=list)
    rivals: list["Rival"] = field(default_factory=list)

    @property
    def has_class_files(self) -> bool:
        """Whether a mask file shows a single class."""
        return any(sample.classes for sample in self.samples)

    def note(self, code: str, text: str) -> None:
        """Add a note."""
        self.notes.append(Note(code, text))

    def find_names(self, root: Path, nested: int = 2) -> None:
        """Take the class map of a file beside the data, which wins over a guessed one.

        It lies in the root, or at most `nested` folders below.
        """
        found, unread = find_class_map(root, nested)
        self.class_map = found or self.class_map
        if unread:
            self.note(
                "unread_legend",
                f"{first_few(unread, 4)} is named as a list of classes, but cannot be read as one, "
                f"and is not used; expected a name a line, perhaps with its value or color.",
            )

    def split(self, split_of: Mapping[str, str], reason: str) -> None:
        """Give samples the splits of their ids; others are skipped for the reason."""

        def divide(samples: list[Sample]) -> list[Sample]:
            others = [sample for sample in samples if sample.id not in split_of]
            self.skipped += [SkippedFile(sample.image, reason) for sample in others]
            listed = [sample for sample in samples if sample.id in split_of]
            return [replace(sample, split=split_of[sample.id]) for sample in listed]

        self.samples, self.maskless = divide(self.samples), divide(self.maskless)


@dataclass(frozen=True)
class Recognition:
    """A place that a reader recognizes.

    Args:
        confidence: From 0 to 1; 1 is certain, as where a file states it, and ends the search.
        reason: What it was recognized by, a phrase.
        read: Lists the samples, or converts them and gives the place where they lie then.
    """

    confidence: float
    reason: str
    read: Callable[[], Layout | Place]


class Rival(NamedTuple):
    """What a reader that was not taken recognizes: the name of its format, and what it found."""

    name: str
    found: Recognition


@dataclass(frozen=True)
class Reader:
    """Reader of one format.

    Args:
        source: What can be opened, such as `"a CSV manifest"`.
        recognize: From a place to what is recognized there, or `None`; quick, it opens files only
            to look whether they are of its format.
    """

    name: str
    source: str
    recognize: Callable[[Place], Recognition | None]
