"""Audit a data set before training: what is wrong, how much it matters, what to do about it."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from maskwright.data.audit.audit_finding import Finding, counted, examples, relative
from maskwright.data.audit.audit_scan import AuditedSample, misnamed, scan
from maskwright.data.audit.balance import (
    ClassCount,
    class_counts,
    is_odd,
    odd_classes,
    odd_masks,
    odd_splits,
)
from maskwright.data.audit.contact_sheet import contact_sheet
from maskwright.data.audit.leaks import find_leaks
from maskwright.data.dataset import DataSet, open_dataset
from maskwright.data.samples import Sample

__all__ = ["ClassCount", "Finding", "Report", "audit", "contact_sheet"]

_SINGLE_FILES = 20  # of one kind that get a sentence each; more are summed up
_TINY_SIDE_PX = 16

_TROUBLES = {
    "unreadable_image": "Mend or replace the image, or delete it together with its mask.",
    "unreadable_mask": "Correct the mask, or delete it together with its image.",
    "unequal_sizes": "Make image and mask of one size; export the mask again from its source.",
    "unusable": "Convert the image to what the others are, or leave it out.",
}


@dataclass(frozen=True)
class Report:
    """What an audit found.

    Args:
        source: The data set.
        layout: What its folder was recognized as.
        notes: What else was inferred on opening, sentences.
        splits: Usable samples in each split.
        classes: One row for each class of each split.
        findings: Errors first.
    """

    source: str
    layout: str
    notes: tuple[str, ...]
    splits: dict[str, int]
    classes: tuple[ClassCount, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether training on the data set as it is would be right."""
        return not any(finding.severity == "error" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "ok": self.ok}


def audit(source: DataSet | str | Path, *, group_by: str | None = None) -> Report:
    """Read every sample of a data set once and say what is odd.

    Args:
        source: A data set, or what `open_dataset` opens.
        group_by: As for `open_dataset`; a data set that is open already has its cases.

    Raises:
        DataError: If the data set cannot be opened at all.
    """
    dataset = source if isinstance(source, DataSet) else open_dataset(source, group_by=group_by)
    seen = scan(dataset, dataset.samples)
    usable = [each for each in seen if each.trouble is None]
    spare = [each for each in scan(dataset, _spare(dataset)) if each.trouble is None]
    findings = [
        *_left_out(dataset),
        *_troubles(dataset, seen),
        *_files(dataset, [*usable, *spare]),
        *odd_masks(dataset, [*usable, *spare]),
        *odd_classes(dataset, usable),
        *odd_splits(usable),
        *find_leaks(dataset.root, usable),
    ]
    order = ("error", "warning", "note")
    sizes = Counter(str(each.sample.split) for each in usable)
    return Report(
        source=str(dataset.root),
        layout=dataset.layout,
        notes=dataset.notes,
        splits={split: sizes[split] for split in dataset.splits if split in sizes},
        classes=tuple(class_counts(dataset, usable)),
        findings=tuple(sorted(findings, key=lambda finding: order.index(finding.severity))),
    )


def _spare(dataset: DataSet) -> list[Sample]:
    """Images left out of every split, with a mask where those of other images lie.

    They are judged too, since why they were left out may be what is wrong with them.
    """
    folders: dict[Path, set[tuple[Path, str]]] = defaultdict(set)
    for sample in dataset.samples:
        for mask in sample.masks[:1]:
            folders[sample.image.parent].add((mask.parent, mask.suffix))
    return [
        Sample(path.stem, path, (mask,), path.stem)
        for path, _ in dataset.left_out
        for folder, suffix in sorted(folders.get(path.parent, ()))
        if (mask := folder / f"{path.stem}{suffix}").is_file() and mask != path
    ]


def _left_out(dataset: DataSet) -> list[Finding]:
    """Files that are in no sample: pairs that cannot be used, and files without a partner."""
    broken = [(path, reason) for path, reason in dataset.left_out if str(path) in reason]
    alone: dict[str, list[Path]] = defaultdict(list)
    for path, reason in dataset.left_out:
        if (path, reason) not in broken:
            alone[reason].append(path)
    findings = _one_by_one(dataset, "unusable_pair", broken, "Mend the file, or delete the pair.")
    for reason, paths in alone.items():
        names = relative(dataset.root, paths)
        findings.append(
            Finding(
                "left_out",
                "warning",
                f"{counted(len(paths), 'file')} left out ({reason}): {examples(names)}.",
                "Add what is missing or correct the names, so that image and mask match; or "
                "delete what is not wanted.",
                names,
            )
        )
    return findings


def _troubles(dataset: DataSet, seen: Sequence[AuditedSample]) -> list[Finding]:
    """Samples that cannot be read."""
    by_code: dict[str, list[tuple[Path, str]]] = defaultdict(list)
    for each in seen:
        if each.trouble is not None:
            by_code[each.trouble.code].append((each.trouble.file, each.trouble.message))
    return [
        finding
        for code, troubles in by_code.items()
        for finding in _one_by_one(dataset, code, troubles, _TROUBLES[code])
    ]


def _one_by_one(
    dataset: DataSet, code: str, troubles: Sequence[tuple[Path, str]], advice: str
) -> list[Finding]:
    """An error for each file, and one for all beyond the first few."""
    findings = [
        Finding(code, "error", message, advice, relative(dataset.root, [path]))
        for path, message in troubles[:_SINGLE_FILES]
    ]
    rest = relative(dataset.root, [path for path, _ in troubles[_SINGLE_FILES:]])
    if rest:
        said = f"{counted(len(rest), 'more file')} of this kind: {examples(rest)}."
        findings.append(Finding(code, "error", said, advice, rest))
    return findings


def _files(dataset: DataSet, usable: Sequence[AuditedSample]) -> list[Finding]:
    """What is odd about the image files, though they can be read."""
    findings = []

    def note(code: str, severity: Any, odd: list[AuditedSample], said: str, advice: str) -> None:
        if odd:
            names = relative(dataset.root, [each.sample.image for each in odd])
            message = f"{counted(len(odd), 'image')} {said}: {examples(names)}."
            findings.append(Finding(code, severity, message, advice, names))

    lying = [e for e in usable if misnamed(e.sample.image, e.format)]
    formats = sorted({e.format for e in lying})
    note(
        "misnamed",
        "warning",
        lying,
        f"of another format than the ending says ({', '.join(formats)})",
        "They are read by their content here; rename or convert them for other programs.",
    )
    note(
        "alpha",
        "warning" if is_odd([e for e in usable if e.alpha], usable) else "note",
        [e for e in usable if e.alpha],
        "with transparency, which is dropped",
        "Nothing, where the colors beneath are the picture; else flatten the images.",
    )
    turned = [e for e in usable if e.orientation != 1]
    note(
        "orientation",
        "note",
        turned,
        "stored turned, with an EXIF orientation, which is applied",
        "See on the contact sheet that masks and images lie alike.",
    )
    channels = [e for e in usable if e.channels != dataset.channels]
    note(
        "channels",
        "warning",
        channels,
        f"converted to {counted(dataset.channels, 'channel')}, which most images have",
        "Nothing, where color means nothing; else look for images of another source.",
    )
    note(
        "not_finite",
        "error",
        [e for e in usable if not e.finite],
        "with values that are not numbers (NaN or infinite)",
        "Replace them, say by 0: a single one turns the whole training into NaN.",
    )
    note(
        "flat",
        "warning",
        [e for e in usable if e.flat and min(e.size) >= _TINY_SIDE_PX],
        "of a single color",
        "Leave them out: there is nothing to see.",
    )
    note(
        "tiny",
        "warning",
        [e for e in usable if min(e.size) < _TINY_SIDE_PX],
        f"with a side below {_TINY_SIDE_PX} px",
        "Leave them out, unless they are meant to be that small.",
    )
    sizes = Counter(each.size for each in usable)
    if len(sizes) > 1:
        heights, widths = zip(*sizes, strict=True)
        (height, width), often = sizes.most_common(1)[0]
        findings.append(
            Finding(
                "mixed_sizes",
                "note",
                f"Images have {len(sizes)} sizes, {min(widths)} to {max(widths)} px wide and "
                f"{min(heights)} to {max(heights)} px high; most often {width}x{height} "
                f"({often:,} of {len(usable):,}).",
                "Nothing: they are brought to one working size, or cropped.",
            )
        )
    return findings
