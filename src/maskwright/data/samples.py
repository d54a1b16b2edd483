"""One image with its masks and what is known about them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SEPARATOR = ";"
"""Between the masks of an image in a manifest, and between the labels of its regions."""


@dataclass(frozen=True)
class Sample:
    """One image and what is known about it.

    Args:
        id: Name of the sample, unique in its data set and usable as a file name.
        masks: Files of its mask: one, or one for each object; empty where there is none.
        case: Patient, scene or video; samples of one case never part between splits.
        split: `"train"`, `"val"`, `"test"`, another name, or `None` before splits are assigned.
        label: What the whole image is, for classification, or `None`; where each mask is a region
            with a label of its own, all of them in order, separated by `;`.
        weight: How much the sample counts in training.
        instances: File that numbers the objects of the image, where the masks store classes only.
        group: Name of the cases that share images, the first of theirs; `None` for a single case.
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

    @property
    def together(self) -> str:
        """Its case, or the group of its case, which no split parts."""
        return self.group or self.case

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in `label`, one for the image or one for each mask; empty where there is none."""
        return tuple(part.strip() for part in self.label.split(SEPARATOR)) if self.label else ()


def unique_ids(paths: Sequence[Sequence[str]]) -> list[str]:
    """Names of samples: the last part of each path, with as many parts before it as are needed.

    Where even whole paths are equal, a number follows.
    """
    for depth in range(1, max((len(path) for path in paths), default=1) + 1):
        ids = ["-".join(part for part in path[-depth:] if part) for path in paths]
        if len({id_.casefold() for id_ in ids}) == len(ids):
            return ids
    counts: Counter[str] = Counter()
    unique = []
    for id_ in ids:
        counts[id_.casefold()] += 1
        count = counts[id_.casefold()]
        unique.append(id_ if count == 1 else f"{id_}-{count}")
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
