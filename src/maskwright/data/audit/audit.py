"""Audit a data set before training: what is wrong, how much it matters, what to do about it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from maskwright.data.audit.audit_finding import Finding, finding, finding_on, relative
from maskwright.data.audit.audit_scan import AuditedSample, scan
from maskwright.data.audit.balance import (
    ClassCount,
    class_counts,
    odd_classes,
    odd_masks,
    odd_splits,
)
from maskwright.data.audit.image_files import odd_files
from maskwright.data.audit.leaks import find_leaks
from maskwright.data.dataset import DataSet
from maskwright.data.opening import open_dataset
from maskwright.data.samples import Note, Sample, counted

_SINGLE_FILES = 20  # of one kind that get a sentence each; more are summed up


@dataclass(frozen=True)
class AuditReport:
    """Findings of an audit, errors first, and what it read.

    Args:
        layout: What its folder was recognized as.
        notes: What else was inferred on opening.
        splits: Usable samples in each split.
    """

    source: str
    layout: str
    notes: tuple[Note, ...]
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


def audit(source: DataSet | str | Path, *, group_by: str | None = None) -> AuditReport:
    """Read every sample of a data set, or of what `open_dataset` opens, and report what is odd.

    `group_by` is for `open_dataset`; a data set that is open already has its cases.
    """
    dataset = source if isinstance(source, DataSet) else open_dataset(source, group_by=group_by)
    audited = scan(dataset, dataset.samples)
    usable = [each for each in audited if each.fault is None]
    spare = [each for each in scan(dataset, _spare(dataset)) if each.fault is None]
    findings = [
        *_skipped(dataset),
        *_faults(dataset, audited),
        *odd_files(dataset, [*usable, *spare]),
        *odd_masks(dataset, [*usable, *spare]),
        *odd_classes(dataset, usable),
        *odd_splits(usable),
        *find_leaks(dataset.root, usable),
    ]
    order = ("error", "warning", "note")
    sizes = Counter(str(each.sample.split) for each in usable)
    return AuditReport(
        source=str(dataset.root),
        layout=dataset.layout,
        notes=dataset.notes,
        splits={split: sizes[split] for split in dataset.splits if split in sizes},
        classes=tuple(class_counts(dataset, usable)),
        findings=tuple(sorted(findings, key=lambda finding: order.index(finding.severity))),
    )


def _spare(dataset: DataSet) -> list[Sample]:
    """Images that are in no split, with a mask where those of other images lie.

    They are judged too, since the reason that they are skipped may be what is wrong with them.
    """
    folders: dict[Path, set[tuple[Path, str]]] = defaultdict(set)
    for sample in dataset.samples:
        for mask in sample.masks[:1]:
            folders[sample.image.parent].add((mask.parent, mask.suffix))
    return [
        Sample(path.stem, path, (mask,), path.stem)
        for path in (file.path for file in dataset.skipped)
        for folder, suffix in sorted(folders.get(path.parent, ()))
        if (mask := folder / f"{path.stem}{suffix}").is_file() and mask != path
    ]


def _skipped(dataset: DataSet) -> Iterator[Finding]:
    """Files that are in no sample: pairs that cannot be used, and files without a partner."""
    broken = [(file.path, file.reason) for file in dataset.skipped if file.broken]
    yield from _file_findings(dataset, "unusable_pair", broken)
    alone: dict[str, list[Path]] = defaultdict(list)
    for file in dataset.skipped:
        if not file.broken:
            alone[file.reason].append(file.path)
    for reason, paths in alone.items():
        message = f"{counted(len(paths), 'file')} skipped ({reason})"
        yield finding_on(dataset.root, "skipped", "warning", paths, message)


def _faults(dataset: DataSet, audited: Sequence[AuditedSample]) -> Iterator[Finding]:
    """Samples that cannot be read."""
    by_code: dict[str, list[tuple[Path, str]]] = defaultdict(list)
    for each in audited:
        if each.fault is not None:
            by_code[each.fault.code].append((each.fault.file, each.fault.message))
    for code, faults in by_code.items():
        yield from _file_findings(dataset, code, faults)


def _file_findings(
    dataset: DataSet, code: str, faults: Sequence[tuple[Path, str]]
) -> Iterator[Finding]:
    """An error for each file, and one for all beyond the first few."""
    for path, message in faults[:_SINGLE_FILES]:
        yield finding(code, "error", message, relative(dataset.root, [path]))
    rest = [path for path, _ in faults[_SINGLE_FILES:]]
    if rest:
        message = f"{counted(len(rest), 'more file')} of this kind"
        yield finding_on(dataset.root, code, "error", rest, message)
