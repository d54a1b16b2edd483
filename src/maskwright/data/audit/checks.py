"""What is odd about image files, masks, classes and splits, one by one or all together."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from maskwright.data.audit.audit_scan import (
    AuditedSample,
    Finding,
    Severity,
    finding,
    finding_on,
    relative_name,
)
from maskwright.data.dataset import DataSet
from maskwright.data.readers.folders.marks import glob_of
from maskwright.data.samples import USUAL_SPLITS, counted, examples, yaml_line
from maskwright.labels import IGNORE_LABEL

_RARE_SHARE = 0.01  # of the pixels: networks tend to leave out what is rarer
_FEW_IMAGES, _TOO_FEW_IMAGES = 10, 3
_ODD_SHARE = 0.05  # of the samples
_COPIED_SHARE = 0.1  # of the images
_TINY_SIDE_PX = 16
_WITH_ALPHA = {"PNG", "GIF", "WEBP", "TIFF"}  # formats in which transparency is meant
_SUFFIXES_OF_FORMAT = {
    **{"PNG": {".png"}, "GIF": {".gif"}, "BMP": {".bmp", ".dib"}, "WEBP": {".webp"}},
    **{"JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"}, "MPO": {".jpg", ".jpeg", ".mpo"}},
    **{"TIFF": {".tif", ".tiff"}, "JPEG2000": {".jp2", ".j2k", ".jpx"}},
    **{"NumPy": {".npy", ".npz"}},
    **{"PPM": {".ppm", ".pgm", ".pbm", ".pnm"}},
}

Audited = Sequence[AuditedSample]


def odd_files(dataset: DataSet, usable: Audited) -> Iterator[Finding]:
    """What is odd about image files that can be read."""
    misnamed = [
        each
        for each in usable
        if (known := _SUFFIXES_OF_FORMAT.get(each.header.format)) is not None
        and each.sample.image.suffix.lower() not in known
    ]
    formats = ", ".join(sorted({e.header.format for e in misnamed}))
    with_alpha = [e for e in usable if e.header.alpha and e.header.format in _WITH_ALPHA]
    banded = [e for e in with_alpha if e.header.format == "TIFF" and e.header.channels in {2, 4}]
    transparent = [e for e in with_alpha if e not in banded]
    turned = [e for e in usable if e.header.orientation != 1]
    converted = [e for e in usable if e.header.channels != dataset.channels]
    gaps = [e for e in usable if e.gap_px]
    share = sum(e.gap_px for e in gaps) / max(sum(e.size[0] * e.size[1] for e in gaps), 1)
    pages = [e for e in usable if e.header.pages > 1]
    inverted = [e for e in usable if e.inverted]
    flat = [e for e in usable if e.flat and min(e.size) >= _TINY_SIDE_PX]
    tiny = [e for e in usable if min(e.size) < _TINY_SIDE_PX]
    applied = "stored turned, with an EXIF orientation, which is applied"
    usual = counted(dataset.channels, "channel")
    dropped = _severity(transparent, usable)
    checks: tuple[tuple[str, Severity, list[AuditedSample], str], ...] = (
        ("misnamed", "warning", misnamed, f"of another format than the ending says ({formats})"),
        ("alpha", dropped, transparent, "with transparency, which is dropped"),
        ("alpha_kept", "note", banded, "with a georeference and transparency, kept as a channel"),
        ("orientation", "note", turned, applied),
        ("channels", "warning", converted, f"converted to {usual}, which most images have"),
        ("no_data", "note", gaps, f"with pixels without data, {share:.1%} of theirs, ignored"),
        ("pages", "warning", pages, f"of several pages, read as {usual}"),
        ("white_is_zero", "note", inverted, "or masks stored with white as 0, read as displayed"),
        ("flat", "warning", flat, "of a single color"),
        ("tiny", "warning", tiny, f"with a side below {_TINY_SIDE_PX} px"),
    )
    for code, severity, odd, what in checks:
        message = f"{counted(len(odd), 'image')} {what}"
        yield from finding_on(code, severity, message, [each.name for each in odd])
    sizes = Counter(each.size for each in usable)
    if len(sizes) > 1:
        heights, widths = zip(*sizes, strict=True)
        (height, width), often = sizes.most_common(1)[0]
        message = (
            f"Images have {len(sizes)} sizes, {min(widths)} to {max(widths)} px wide and "
            f"{min(heights)} to {max(heights)} px high; most often {width}x{height} "
            f"({often:,} of {len(usable):,})."
        )
        yield finding("mixed_sizes", "note", message)


def odd_masks(dataset: DataSet, usable: Audited) -> Iterator[Finding]:
    """Masks that hold less than a mask should."""
    by_class: dict[int, list[AuditedSample]] = defaultdict(list)
    void = []
    for each in usable:
        classes = np.flatnonzero(each.counts[:IGNORE_LABEL])
        if len(classes) == 0:
            void.append(each.name)
        elif len(classes) == 1:
            by_class[int(classes[0])].append(each)
    message = f"{counted(len(void), 'mask')} of nothing but ignored pixels"
    yield from finding_on("all_ignored", "warning", message, void)
    total = sum(int(each.counts.sum()) for each in usable)
    ignored = sum(int(each.counts[IGNORE_LABEL]) for each in usable)
    if ignored:
        message = f"{ignored / total:.1%} of all pixels are void or unlabeled; they are neither "
        message += "trained on nor scored."
        yield finding("ignored", "warning" if ignored > total / 2 else "note", message)
    names: dict[str, list[str]] = defaultdict(list)
    for each in usable:
        for path, kind in zip(each.sample.masks, each.mask_kinds, strict=True):
            names[kind].append(relative_name(dataset.root, path))
    if len(names) > 1:
        usual, *others = sorted(names, key=lambda kind: -len(names[kind]))
        parts = [f"{counted(len(names[k]), 'file')} {k} ({examples(names[k])})" for k in others]
        message = f"Most masks ({len(names[usual]):,}) are {usual}, but {'; '.join(parts)}."
        files = [name for kind in others for name in names[kind]]
        yield finding("mixed_masks", "warning", message, files)
    background = dataset.labels.background
    if background is None and dataset.labels.num_classes == 2:
        background = 0
    for label, members in sorted(by_class.items()):
        code = "empty_mask" if label == background else "one_class_mask"
        hold = "holds" if len(members) == 1 else "hold"
        message = f"{len(members):,} of {counted(len(usable), 'mask')} {hold} nothing but "
        message += dataset.labels.names[label]
        severity = _severity(members, usable)
        yield from finding_on(code, severity, message, [each.name for each in members])


def copied_masks(dataset: DataSet, usable: Audited) -> Iterator[Finding]:
    """Images that look like their own mask: an error where they are more than a tenth.

    A warning where a manifest or data.yaml states which files are images and which are masks.
    """
    copies = [each.name for each in usable if each.is_mask]
    stated = "manifest" in dataset.stated or dataset.stated.keys() >= {"images", "masks"}
    many = len(copies) > _COPIED_SHARE * len(usable)
    message = f"{counted(len(copies), 'image')} of {len(usable):,} correlate with their mask like a"
    for copied in finding_on("copied_mask", "warning", f"{message} copy of it", copies):
        if stated or not many:
            yield copied
            continue
        images = glob_of([each.sample.image for each in usable], dataset.root)
        masks = glob_of([mask for each in usable for mask in each.sample.masks], dataset.root)
        lines = f"{yaml_line('images', images)} and {yaml_line('masks', masks)}"
        advice = f"{copied.advice} If not, as of scanned documents, write {lines} into data.yaml."
        yield replace(copied, severity="error", advice=advice)


def _severity(odd: Audited, usable: Audited) -> Severity:
    """Warning where so few are concerned that it looks like a mistake rather than a habit."""
    return "warning" if len(odd) <= max(_ODD_SHARE * len(usable), 1) else "note"


@dataclass(frozen=True)
class ClassCount:
    """How much of one class one split holds; `share` is of the pixels that are not ignored."""

    split: str
    name: str
    pixels: int
    share: float
    images: int


def class_counts(
    dataset: DataSet, counted: Sequence[tuple[str | None, np.ndarray]]
) -> list[ClassCount]:
    """Rows of the table of classes, by split and then by label.

    `counted` are the split and the pixels of each label, `(256,)`, of each sample.
    """
    rows = []
    for split in dataset.splits:
        counts = [pixels for in_split, pixels in counted if in_split == split]
        if not counts:
            continue
        table = np.stack(counts)[:, : dataset.labels.num_classes]
        total = max(int(table.sum()), 1)
        for label, name in enumerate(dataset.labels.names):
            pixels = int(table[:, label].sum())
            images = int((table[:, label] > 0).sum())
            rows.append(ClassCount(split, name, pixels, pixels / total, images))
    return rows


def odd_classes(rows: Sequence[ClassCount]) -> Iterator[Finding]:
    """Classes that are absent or rare."""
    splits = {row.split for row in rows}
    splits_of: dict[str, list[str]] = {row.name: [] for row in rows}
    for row in rows:
        splits_of[row.name] += [row.split] * (row.images > 0)
    seen = [name for name in splits_of if splits_of[name]]
    if len(seen) < 2:
        only = ", ".join(seen) or "nothing"
        message = f"All masks together hold {only} alone; training needs at least two classes."
        yield finding("one_class", "error", message)
        return
    never = [name for name in splits_of if not splits_of[name]]
    message = counted(len(never), "class never occurs", "classes never occur")
    yield from _on_classes("class_never", "warning", message, never)
    elsewhere = [
        f"{name} (in {', '.join(sorted(splits_of[name]))})"
        for name in seen
        if "train" in splits and "train" not in splits_of[name]
    ]
    message = f"{counted(len(elsewhere), 'class', 'classes')} missing in the training split"
    end = "; what is never shown cannot be learned."
    yield from _on_classes("class_not_in_train", "error", message, elsewhere, end)
    for split in USUAL_SPLITS[1:]:
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
    message = f"{counted(len(rare), 'class rare', 'classes rare')} in the training split"
    yield from _on_classes("rare_class", "note", message, rare)


def _on_classes(
    code: str, severity: Severity, message: str, classes: Sequence[str], end: str = "."
) -> Iterator[Finding]:
    if classes:
        yield finding(code, severity, f"{message}: {examples(classes)}{end}")


def odd_splits(usable: Audited) -> Iterator[Finding]:
    """Splits that are absent or too small."""
    sizes = Counter(each.sample.split for each in usable)
    if not sizes["train"]:
        message = f"There is nothing to train on; splits: {examples(map(str, sizes)) or 'none'}."
        yield finding("no_training", "error", message)
    elif sizes["train"] < _FEW_IMAGES:
        message = f"The training split has only {counted(sizes['train'], 'usable image')}."
        severity: Severity = "error" if sizes["train"] < _TOO_FEW_IMAGES else "warning"
        yield finding("few_images", severity, message)
