"""Balance of classes: whether masks and splits hold enough of each."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskwright.data.audit.audit_scan import AuditedSample, Finding, finding_on, relative
from maskwright.data.dataset import DataSet
from maskwright.data.notes import counted, examples
from maskwright.labels import IGNORE_LABEL

_RARE_SHARE = 0.01  # of the pixels: networks tend to leave out what is rarer
_FEW_IMAGES = 10
_ODD_SHARE = 0.05  # of the samples


@dataclass(frozen=True)
class ClassCount:
    """How much of one class one split holds; `share` is of the pixels that are not ignored."""

    split: str
    name: str
    pixels: int
    share: float
    images: int


def odd_masks(dataset: DataSet, usable: Sequence[AuditedSample]) -> Iterator[Finding]:
    """Masks that hold less than a mask should."""
    void = [each.sample.image for each in usable if _num_classes(each) == 0]
    if void:
        message = f"{counted(len(void), 'mask')} of nothing but ignored pixels"
        advice = "Leave these samples out; they teach nothing."
        yield finding_on(dataset.root, "all_ignored", "warning", void, message, advice)
    total = sum(int(each.counts.sum()) for each in usable)
    ignored = sum(int(each.counts[IGNORE_LABEL]) for each in usable)
    if ignored:
        yield Finding(
            "ignored",
            "warning" if ignored > total / 2 else "note",
            f"{ignored / total:.1%} of all pixels are void or unlabeled; they are neither "
            f"trained on nor scored.",
            "Nothing, where it is meant so; else give their value a class in data.yaml.",
        )
    kinds: dict[str, list[Path]] = defaultdict(list)
    for each in usable:
        for path, kind in zip(each.sample.masks, each.mask_kinds, strict=True):
            kinds[kind].append(path)
    if len(kinds) > 1:
        usual, *others = sorted(kinds, key=lambda kind: -len(kinds[kind]))
        parts = [
            f"{counted(len(kinds[kind]), 'file')} {kind} "
            f"({examples(relative(dataset.root, kinds[kind]))})"
            for kind in others
        ]
        yield Finding(
            "mixed_masks",
            "warning",
            f"Most masks ({len(kinds[usual]):,}) are {usual}, but {'; '.join(parts)}.",
            "All are read as the same classes; see on the contact sheet that it is so.",
            relative(dataset.root, [path for kind in others for path in kinds[kind]]),
        )
    background = dataset.labels.background
    if background is None and dataset.labels.num_classes == 2:
        background = 0
    by_class: dict[int, list[AuditedSample]] = defaultdict(list)
    for each in usable:
        if _num_classes(each) == 1:
            by_class[int(np.argmax(each.counts[:IGNORE_LABEL]))].append(each)
    for label, members in sorted(by_class.items()):
        code, advice = "one_class_mask", "See on the images that it is so."
        if label == background:
            code, advice = "empty_mask", "See that nothing was forgotten there; images without any "
            advice += "object are welcome where such images will come."
        yield finding_on(
            dataset.root,
            code,
            "warning" if is_odd(members, usable) else "note",
            [each.sample.image for each in members],
            f"{len(members):,} of {counted(len(usable), 'mask')} "
            f"{'holds' if len(members) == 1 else 'hold'} nothing but {dataset.labels.names[label]}",
            advice,
        )


def odd_classes(dataset: DataSet, usable: Sequence[AuditedSample]) -> Iterator[Finding]:
    """Classes that are absent or rare."""
    rows = class_counts(dataset, usable)
    splits = {row.split for row in rows}
    splits_of: dict[str, list[str]] = {name: [] for name in dataset.labels.names}
    for row in rows:
        splits_of[row.name] += [row.split] * (row.images > 0)
    seen = [name for name in splits_of if splits_of[name]]
    if len(seen) < 2:
        only = ", ".join(seen) or "nothing"
        yield Finding(
            "one_class",
            "error",
            f"All masks together hold {only} alone; training needs at least two classes.",
            "See that the values of the masks were understood; state them in data.yaml.",
        )
        return
    never = [name for name in splits_of if not splits_of[name]]
    if never:
        yield Finding(
            "class_never",
            "warning",
            f"{counted(len(never), 'class never occurs', 'classes never occur')}: "
            f"{examples(never)}.",
            "Remove it from the classes in data.yaml, or add images that show it.",
        )
    elsewhere = [
        f"{name} (in {', '.join(sorted(splits_of[name]))})"
        for name in seen
        if "train" in splits and "train" not in splits_of[name]
    ]
    if elsewhere:
        yield Finding(
            "class_not_in_train",
            "error",
            f"{counted(len(elsewhere), 'class', 'classes')} missing in the training split: "
            f"{examples(elsewhere)}; what is never shown cannot be learned.",
            "Move images that show it to the training split, or unite the class with another.",
        )
    for split in ("val", "test"):
        unscored = [name for name in seen if split in splits and split not in splits_of[name]]
        if unscored:
            yield Finding(
                "class_not_scored",
                "note",
                f"The {split} split never shows {examples(unscored)}, so that nothing is "
                f"known of how well it is segmented.",
                "Add images that show it to the split, or keep it in mind with the scores.",
            )
    rare = [
        f"{row.name} ({row.share:.2%} of the pixels, {counted(row.images, 'image')})"
        for row in rows
        if row.split == "train" and 0 < row.share < _RARE_SHARE
    ]
    if rare:
        yield Finding(
            "rare_class",
            "note",
            f"{counted(len(rare), 'class', 'classes')} rare in the training split: "
            f"{examples(rare)}.",
            "Weight the classes, and favor rare ones when cropping.",
        )


def odd_splits(usable: Sequence[AuditedSample]) -> Iterator[Finding]:
    """Splits that are absent or too small."""
    sizes = Counter(each.sample.split for each in usable)
    if not sizes["train"]:
        message = f"There is nothing to train on; splits: {examples(map(str, sizes)) or 'none'}."
        advice = "Put samples into a split named train, or state no splits."
        yield Finding("no_training", "error", message, advice)
    elif sizes["train"] < _FEW_IMAGES:
        message = f"The training split has only {counted(sizes['train'], 'usable image')}."
        advice = "Expect little, and look at predictions rather than at scores; use crops."
        yield Finding("few_images", "warning", message, advice)


def class_counts(dataset: DataSet, usable: Sequence[AuditedSample]) -> list[ClassCount]:
    """Rows of the table of classes, by split and then by label."""
    rows = []
    for split in dataset.splits:
        counts = [each.counts for each in usable if str(each.sample.split) == split]
        if not counts:
            continue
        table = np.stack(counts)[:, : dataset.labels.num_classes]
        total = max(int(table.sum()), 1)
        for label, name in enumerate(dataset.labels.names):
            pixels = int(table[:, label].sum())
            images = int((table[:, label] > 0).sum())
            rows.append(ClassCount(split, name, pixels, pixels / total, images))
    return rows


def is_odd(odd: Sequence[AuditedSample], usable: Sequence[AuditedSample]) -> bool:
    """Whether so few are concerned that it looks like a mistake rather than a habit."""
    return len(odd) <= max(_ODD_SHARE * len(usable), 1)


def _num_classes(each: AuditedSample) -> int:
    """Number of classes in a mask."""
    return int(np.count_nonzero(each.counts[:IGNORE_LABEL]))
