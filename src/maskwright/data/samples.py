"""One image with its masks; notes on data sets, files that are skipped, and how both are worded."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from maskwright.display.notebook import show_figure
from maskwright.errors import DataError
from maskwright.imageio import inline_yaml

if TYPE_CHECKING:
    from maskwright.display.figures import NotebookFigure

Item = TypeVar("Item")
Key = TypeVar("Key")

_EXAMPLES = 5

CALIBRATION = "calibration"
"""Split that promises of `trust` are made with; nothing is learned from or selected by it."""

USUAL_SPLITS = ("train", "val", CALIBRATION, "test")
"""Splits that are known by name; what is listed in several counts for the last of them."""

SEPARATOR = ";"
"""Between the masks of an image in a manifest, and between the labels of its regions."""


@dataclass(frozen=True)
class Sample:
    """One image and what is known about it.

    Args:
        id: Name of the sample, unique in its data set and usable as a file name.
        masks: Files of its mask: one, or one for each object; empty where there is none.
        case: Patient, scene or video; samples of one case never part between splits.
        split: One of `USUAL_SPLITS`, another name, or `None` before splits are assigned.
        label: What the whole image is, for classification, or `None`; where each mask is a region
            with a label of its own, all of them in order, separated by `;`.
        weight: How much the sample counts in training.
        instances: File that numbers the objects of the image, where the masks store classes only.
        group: Name of the cases that share images, the first of theirs; `None` for a single case.
        spacing_mm: Millimeters from row to row and from column to column; `None` where unknown.
        classes: Class that each mask file shows, where one holds a single class, later ones on top;
            empty where masks hold the classes themselves.
        field_of_view: Mask, 0 where nothing was to be seen: those pixels are ignored.
        columns: Cells of its row in the manifest or in groups.csv, by column in lower case.
    """

    id: str
    image: Path
    masks: tuple[Path, ...]
    case: str
    split: str | None = None
    label: str | None = None
    weight: float = 1.0
    instances: Path | None = None
    group: str | None = None
    spacing_mm: tuple[float, float] | None = None
    classes: tuple[str, ...] = ()
    field_of_view: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def together(self) -> str:
        """Its case, or the group of its case, which no split parts."""
        return self.group or self.case

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in `label`, one for the image or one for each mask; empty where there is none."""
        return tuple(part.strip() for part in self.label.split(SEPARATOR)) if self.label else ()

    def belong_to(self, dataset: Any) -> None:
        """Have `plot` read the sample as one of a data set; copies of it have none."""
        object.__setattr__(self, "_dataset", dataset)

    def __getstate__(self) -> dict[str, Any]:
        # Not the whole data set with each sample that is sent to another process.
        return {name: value for name, value in vars(self).items() if name != "_dataset"}

    def plot(self) -> "NotebookFigure":
        """Image and ground truth, as a figure of Matplotlib; `DataError` as `DataSet.read`."""
        dataset = vars(self).get("_dataset")
        if dataset is None:
            raise DataError(
                f"Expected a sample of what `open_dataset` gave; {self.id} is none, or a copy."
            )
        return dataset.view.plot(dataset, self)

    def show(self) -> None:
        """Show `plot` in a notebook."""
        show_figure(self.plot())


def unique_ids(paths: Sequence[Sequence[str]]) -> list[str]:
    """Names from the last parts of paths, as many as are needed; else a number follows."""
    for depth in range(1, max((len(path) for path in paths), default=1) + 1):
        ids = ["-".join(part for part in path[-depth:] if part) for path in paths]
        if len({id_.casefold() for id_ in ids}) == len(ids):
            return ids
    taken = {id_.casefold() for id_ in ids}
    given: Counter[str] = Counter()
    unique = []
    for id_ in ids:
        given[id_.casefold()] += 1
        name, number = id_, given[id_.casefold()]
        while number > 1 and name.casefold() in taken:
            name, number = f"{id_}-{number}", number + 1
        taken.add(name.casefold())
        unique.append(name)
    return unique


def separated(samples: Sequence[Sample]) -> str | None:
    """Sentence on cases that lie in more than one split, naming the first; `None` without any."""
    splits: dict[str, dict[str, Sample]] = {}
    for sample in samples:
        splits.setdefault(sample.together, {}).setdefault(sample.split or "train", sample)
    separate = {case: in_split for case, in_split in splits.items() if len(in_split) > 1}
    if not separate:
        return None
    case, in_split = next(iter(separate.items()))
    where = " and ".join(f"{split} ({first.image.name})" for split, first in in_split.items())
    more = f", and {len(separate) - 1} more like it" if len(separate) > 1 else ""
    return (
        f"The case {case!r} is in {where}{more}; expected all images of a case, and copies of an "
        f"image, in one split: move them there, or state no splits and let them be made."
    )


@dataclass(frozen=True)
class Note:
    """What was inferred of a data set, and why; its code stays the same between versions.

    `left_out` images or volumes are not used, of the number `among`, or, at 0, of all images.
    """

    code: str
    text: str
    left_out: int = 0
    among: int = 0

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Doubt:
    """Two readings of the same files that give other pixels, classes or splits.

    Args:
        code: The same between versions.
        text: Both readings, and what each rests on; whole sentences.
        settle: What to write into data.yaml for either of them, a whole sentence.
    """

    code: str
    text: str
    settle: str

    def __str__(self) -> str:
        return f"{self.text} {self.settle}"


@dataclass(frozen=True)
class SkippedFile:
    """A file in no sample; `reason` is a sentence where it has a partner but is `broken`.

    `where` says where it is named, such as a line of a manifest; `unpaired` what it is,
    where a partner was looked for and not found.
    """

    path: Path
    reason: str
    broken: bool = False
    where: str = ""
    unpaired: Literal["", "image", "mask"] = ""

    @property
    def message(self) -> str:
        """The file and the reason."""
        where = f" ({self.where})" if self.where else ""
        return self.reason if self.broken else f"{self.path}: {self.reason}{where}"


def missing_classes(classes: Sequence[Sequence[str]], singular: str) -> list[Note]:
    """Note on classes of which some images or volumes have no mask file, by the classes of each."""
    counts = Counter(name for each in classes for name in set(each))
    total = sum(bool(each) for each in classes)
    missing = [f"{name} for {total - n:,}" for name, n in sorted(counts.items()) if n < total]
    if not missing:
        return []
    text = f"Of {counted(total, singular)} with masks of single classes, these are missing: "
    text += f"{examples(missing)}; nothing there is of the class. Leave out what was not drawn."
    return [Note("missing_classes", text)]


def yaml_line(key: str, value: Any) -> str:
    """Line of a data.yaml, as messages name it: `` `overlap: [dent, 'no']` ``."""
    return f"`{key}: {inline_yaml(value)}`"


def grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Items by their key, both in the order in which they come."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """`1 image`, `1,234 images`; `plural` where it has not just an s."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def first_few(names: Sequence[str], most: int) -> str:
    """The first names, and `…` for more."""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def examples(names: Iterable[str]) -> str:
    """The first few names, and how many there are beyond."""
    names = list(names)
    more = f" and {len(names) - _EXAMPLES:,} more" if len(names) > _EXAMPLES else ""
    return ", ".join(names[:_EXAMPLES]) + more


def join_words(words: Sequence[str], last: str) -> str:
    """`a, b or c`, with `last` before the last one."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])}{last}{words[-1]}"
