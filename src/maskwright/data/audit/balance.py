"""Balance of classes: whether masks and splits hold enough of each."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskwright.data.audit.audit_finding import Finding, Severity, finding, finding_on, relative
from maskwright.data.audit.audit_scan import AuditedSample
from maskwright.data.dataset import DataSet
from maskwright.data.samples import counted, examples
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
        yield finding_on(dataset.root, "all_ignored", "warning", void, message)
    total = sum(int(each.counts.sum()) for each in usable)
    ignored = sum(int(each.counts[IGNORE_LABEL]) for each in usable)
    if ignored:
        message = f"{ignored / total:.1%} of all pixels are void or unlabeled; they are neither "
        message += "trained on nor scored."
        yield finding("ignored", "warning" if ignored > total / 2 else "note", message)
    kinds: dict[str, list[Path]] = defaultdict(list)
    for each in usable:
        for path, kind in zip(each.sample.masks, each.mask_kinds, strict=True):
            kinds[kind].append(path)
    if len(kinds) > 1:
        usual, *others = sorted(kinds, key=lambda kind: -len(kinds[kind]))
        names = {kind: relative(dataset.root, kinds[kind]) for kind in others}
        parts = [f"{counted(len(names[k]), 'file')} {k} ({examples(names[k])})" for k in others]
        message = f"Most masks ({len(kinds[usual]):,}) are {usual}, but {'; '.join(parts)}."
        files = tuple(name for kind in others for name in names[kind])
        yield finding("mixed_masks", "warning", message, files)
    background = dataset.labels.background
    if background is None and dataset.labels.num_classes == 2:
        background = 0
    by_class: dict[int, list[AuditedSample]] = defaultdict(list)
    for each in usable:
        if _num_classes(each) == 1:
            by_class[int(np.argmax(each.counts[:IGNORE_LABEL]))].append(each)
    for label, members in sorted(by_class.items()):
        code = "empty_mask" if label == background else "one_class_mask"
        hold = "holds" if len(members) == 1 else "hold"
        message = f"{len(members):,} of {counted(len(usable), 'mask')} {hold} nothing but "
        message += dataset.labels.names[label]
        images = [each.sample.image for each in members]
        severity: Severity = "warning" if is_odd(members, usable) else "note"
        yield finding_on(dataset.root, code, severity, images, message)


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
        message = f"All masks together hold {only} alone; training needs at least two classes."
        yield finding("one_class", "error", message)
        return
    never = [name for name in splits_of if not splits_of[name]]
    if never:
        classes = counted(len(never), "class never occurs", "classes never occur")
        yield finding("class_never", "warning", f"{classes}: {examples(never)}.")
    elsewhere = [
        f"{name} (in {', '.join(sorted(splits_of[name]))})"
        for name in seen
        if "train" in splits and "train" not in splits_of[name]
    ]
    if elsewhere:
        message = f"{counted(len(elsewhere), 'class', 'classes')} missing in the training split: "
        message += f"{examples(elsewhere)}; what is never shown cannot be learned."
        yield finding("class_not_in_train", "error", message)
    for split in ("val", "test"):
        unscored = [name for name in seen if split in splits and split not in splits_of[name]]
        if unscored:
            message = f"The {split} split never shows {examples(unscored)}, so that nothing is "
            message += "known of how well it is segmented."
            yield finding("class_not_scored", "note", message)
    rare = [
        f"{row.name} ({row.share:.2%} of the pixels, {counted(row.images, 'image')})"
        for row in rows
        if row.split == "train" and 0 < row.share < _RARE_SHARE
    ]
    if rare:
        classes = counted(len(rare), "class rare", "classes rare")
        yield finding("rare_class", "note", f"{classes} in the training split: {examples(rare)}.")


def odd_splits(usable: Sequence[AuditedSample]) -> Iterator[Finding]:
    """Splits that are absent or too small."""
    sizes = Counter(each.sample.split for each in usable)
    if not sizes["train"]:
        message = f"There is nothing to train on; splits: {examples(map(str, sizes)) or 'none'}."
        yield finding("no_training", "error", message)
    elif sizes["train"] < _FEW_IMAGES:
        message = f"The training split has only {counted(sizes['train'], 'usable image')}."
        yield finding("few_images", "warning", message)


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
