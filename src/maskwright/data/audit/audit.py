"""Audit a data set before training: what is wrong, how much it matters, what to do about it."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from maskwright.data import DataSet, Sample
from maskwright.data.audit.audit_scan import (
    AuditedSample,
    Finding,
    SampleFault,
    Severity,
    finding,
    finding_on,
    relative_name,
    scan,
)
from maskwright.data.audit.calibration_cases import calibration_findings
from maskwright.data.audit.checks import (
    ClassCount,
    class_counts,
    copied_masks,
    odd_classes,
    odd_files,
    odd_masks,
    odd_splits,
)
from maskwright.data.audit.leaks import find_leaks
from maskwright.data.cases.grouping import group_cases
from maskwright.data.cases.related import find_related
from maskwright.data.opening import open_with_doubts
from maskwright.data.samples import Note, counted, grouped

_SINGLE_FILES = 5  # of one kind that get a sentence each; more are summed up


@dataclass(frozen=True)
class AuditReport:
    """Findings, errors first, and what was inferred and read; `splits` counts usable samples.

    `written` is the data.yaml that was written, `""` for none; `copies` and `videos` are ids
    of samples that belong together though they are of several cases, in groups.
    """

    source: str
    layout: str
    notes: tuple[Note, ...]
    splits: dict[str, int]
    classes: tuple[ClassCount, ...]
    findings: tuple[Finding, ...]
    written: str = ""
    copies: tuple[tuple[str, ...], ...] = ()
    videos: tuple[tuple[str, ...], ...] = ()

    @property
    def ok(self) -> bool:
        """Whether training on the data set as it is would be right."""
        return not any(finding.severity == "error" for finding in self.findings)

    def with_findings(self, *findings: Finding) -> "AuditReport":
        """The report with more findings, each after those of its severity."""
        return replace(self, findings=_ordered((*self.findings, *findings)))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "ok": self.ok}


def audit(source: DataSet | str | Path, *, group_by: str | None = None) -> AuditReport:
    """Read every sample of a data set, or of a path that is opened, and report what is odd."""
    dataset = source if isinstance(source, DataSet) else open_with_doubts(source, group_by=group_by)
    audited = scan(dataset, dataset.samples)
    usable = [each for each in audited if isinstance(each, AuditedSample)]
    faults = [each for each in audited if isinstance(each, SampleFault)]
    spare = [e for e in scan(dataset, _spare(dataset)) if isinstance(e, AuditedSample)]
    classes = class_counts(dataset, [(each.sample.split, each.counts) for each in usable])
    related = find_related(
        [each.sample for each in usable],
        [each.content for each in usable],
        np.array([each.thumb for each in usable], np.uint8),
        lambda place: dataset.read_image(usable[place].sample),
        bool(dataset.case_from),
    )
    findings = [
        *(Finding(d.code, "error", d.text, d.settle, ()) for d in dataset.doubts),
        *(finding(n.code, "warning", n.text) for n in dataset.notes if n.code == "lossy_masks"),
        *_unusable(dataset, faults),
        *odd_files(dataset, [*usable, *spare]),
        *odd_masks(dataset, [*usable, *spare]),
        *copied_masks(dataset, usable),
        *odd_classes(classes),
        *odd_splits(usable),
        *find_leaks(dataset, usable, related),
        *calibration_findings(dataset, related),
    ]
    sizes = Counter(str(each.sample.split) for each in usable)
    return AuditReport(
        source=str(dataset.root),
        layout=dataset.layout,
        notes=dataset.notes,
        splits={split: sizes[split] for split in dataset.splits if split in sizes},
        classes=tuple(classes),
        findings=_ordered(findings),
        copies=related.copies,
        videos=related.frames,
    )


def _ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    order = get_args(Severity)
    return tuple(sorted(findings, key=lambda finding: order.index(finding.severity)))


def group_related(dataset: DataSet, report: AuditReport) -> DataSet:
    """The data set, in which what belongs together by its audit is one group of cases, and known.

    Splits stay as they are.
    """
    places = {sample.id: place for place, sample in enumerate(dataset.samples)}
    linked = [[places[name] for name in ids] for ids in (*report.copies, *report.videos)]

    def hashes(groups: Sequence[Sequence[str]]) -> tuple[frozenset[str], ...]:
        # All have been read, so that their hashes are known.
        images = [[dataset.samples[places[name]].image for name in ids] for ids in groups]
        return tuple(frozenset(dataset.hashes[path] for path in paths) for paths in images)

    known = replace(dataset.known, copies=hashes(report.copies), videos=hashes(report.videos))
    return replace(dataset, samples=tuple(group_cases(dataset.samples, linked)), known=known)


def _spare(dataset: DataSet) -> list[Sample]:
    """Images in no split with a mask where those of others lie: it may be why they are skipped."""
    folders: dict[Path, set[tuple[Path, str]]] = defaultdict(set)
    for sample in dataset.samples:
        for mask in sample.masks[:1]:
            folders[sample.image.parent].add((mask.parent, mask.suffix))
    return [
        Sample(path.stem, path, (mask,), path.stem)
        for path in (file.path for file in dataset.skipped)
        for folder, suffix in sorted(folders.get(path.parent, ()))
        # Unlike `is_file`, of names too that no file can have.
        if os.path.isfile(mask := folder / f"{path.stem}{suffix}") and mask != path  # noqa: PTH113
    ]


def _unusable(dataset: DataSet, faults: Sequence[SampleFault]) -> Iterator[Finding]:
    """Pairs that cannot be used, files without a partner, and samples that cannot be read."""
    broken = [(file.path, file.reason) for file in dataset.skipped if file.broken]
    yield from _on_files(dataset, "unusable_pair", broken)
    alone = grouped((f for f in dataset.skipped if not f.broken), lambda file: file.reason)
    for reason, files in alone.items():
        message = f"{counted(len(files), 'file')} skipped ({reason})"
        names = [relative_name(dataset.root, file.path) for file in files]
        yield from finding_on("skipped", "warning", message, names)
    for code, members in grouped(faults, lambda fault: fault.code).items():
        yield from _on_files(dataset, code, [(fault.file, fault.message) for fault in members])


def _on_files(dataset: DataSet, code: str, faults: Sequence[tuple[Path, str]]) -> Iterator[Finding]:
    """An error for each file, and one for all beyond the first few."""
    names = [relative_name(dataset.root, path) for path, _ in faults]
    for name, (_, message) in zip(names[:_SINGLE_FILES], faults, strict=False):
        yield finding(code, "error", message, [name])
    message = f"{counted(len(names) - _SINGLE_FILES, 'more file')} of this kind"
    yield from finding_on(code, "error", message, names[_SINGLE_FILES:])
