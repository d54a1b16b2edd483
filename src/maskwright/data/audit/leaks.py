"""Leaks between splits: copies, cases and videos of which training has seen a part."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from maskwright.data.audit.audit_finding import Finding, Severity, relative
from maskwright.data.audit.audit_scan import AuditedSample
from maskwright.data.notes import counted, examples
from maskwright.data.splits.duplicates import details, groups, near_duplicates

_LEAK_SHARE = 0.02  # of the images of a split: what moves its score by more than its interval
# Frames of a video resemble the next more than others of the same name. On CamVid, neighbors
# correlate at 0.53 to 0.62 with z from 4; the numbered photographs of BUSI and pets below 0.22.
_LEAST_FRAMES = 8
_LEAST_LIKENESS = 0.3
_LEAST_Z = 3.0
_NUMBERED = re.compile(r"(.*?)(\d+)\D*")


def find_leaks(root: Path, audited: Sequence[AuditedSample]) -> Iterator[Finding]:
    """Copies, cases and videos, within a split and across splits.

    Args:
        root: Folder of the data set.
        audited: Samples that can be used.
    """
    exact, near = _copies(audited)
    yield from _different_masks(root, audited, exact)
    yield from _copy_findings(root, audited, exact, exact=True)
    yield from _copy_findings(root, audited, near, exact=False)
    yield from _shared_cases(root, audited)
    yield from _videos(root, audited)


def _copies(audited: Sequence[AuditedSample]) -> tuple[list[list[int]], list[list[int]]]:
    """Groups of equal images, and groups of similar ones that are not all equal."""
    by_digest: dict[bytes, list[int]] = defaultdict(list)
    for index, each in enumerate(audited):
        by_digest[each.pixels_digest].append(index)
    exact = [members for members in by_digest.values() if len(members) > 1]
    thumbs = np.stack([each.thumb for each in audited]) if audited else np.empty((0, 32, 32))
    near = groups(
        pair
        for pair in near_duplicates(thumbs)
        if audited[pair[0]].pixels_digest != audited[pair[1]].pixels_digest
    )
    return exact, near


def _copy_findings(
    root: Path, audited: Sequence[AuditedSample], copies: Sequence[Sequence[int]], exact: bool
) -> Iterator[Finding]:
    kind = "the same" if exact else "nearly the same"
    code = "duplicate" if exact else "near_duplicate"
    within = [group for group in copies if len({audited[i].sample.split for i in group}) == 1]
    across = [group for group in copies if len({audited[i].sample.split for i in group}) > 1]
    if within:
        yield Finding(
            f"{code}s",
            "warning" if exact else "note",
            f"{counted(len(within), 'group')} of images within a split "
            f"{'is' if len(within) == 1 else 'are'} {kind}: {_shown(root, audited, within)}.",
            "Nothing: each group is one case, which no split parts."
            if all(len({audited[i].sample.case for i in group}) == 1 for group in within)
            else "Keep one of each, or give them one case, so that no new split parts them.",
            _files(root, audited, within),
        )
    if across:
        yield Finding(
            f"{code}s_across_splits",
            _severity(audited, across),
            f"{counted(len(across), 'group')} of images in different splits "
            f"{'is' if len(across) == 1 else 'are'} {kind}: {_shown(root, audited, across)}; "
            f"scores there are too good.",
            "Give copies one case (a `case` column in a CSV manifest, or --group-by), or keep "
            "only one of each.",
            _files(root, audited, across),
        )


def _different_masks(
    root: Path, audited: Sequence[AuditedSample], exact: Sequence[Sequence[int]]
) -> Iterator[Finding]:
    differ = [group for group in exact if len({audited[i].labels_digest for i in group}) > 1]
    if not differ:
        return
    yield Finding(
        "different_masks",
        "warning",
        f"{counted(len(differ), 'group')} of equal images "
        f"{'has' if len(differ) == 1 else 'have'} different masks: "
        f"{_shown(root, audited, differ)}.",
        "Only one of the masks can be right; correct the others or leave them out.",
        _files(root, audited, differ),
    )


def _shared_cases(root: Path, audited: Sequence[AuditedSample]) -> Iterator[Finding]:
    by_case: dict[str, list[int]] = defaultdict(list)
    for index, each in enumerate(audited):
        by_case[each.sample.case].append(index)
    shared = {
        case: members
        for case, members in by_case.items()
        if len({audited[i].sample.split for i in members}) > 1
    }
    if not shared:
        return
    yield Finding(
        "case_across_splits",
        _severity(audited, list(shared.values())),
        f"{counted(len(shared), 'case')} {'lies' if len(shared) == 1 else 'lie'} in more than "
        f"one split: {examples(shared)}; what was learned of a case makes its scores too good.",
        "Move all images of a case to one split, or state no splits and let them be made.",
        _files(root, audited, list(shared.values())),
    )


def _videos(root: Path, audited: Sequence[AuditedSample]) -> Iterator[Finding]:
    """Numbered images that resemble their neighbors and lie in more than one split."""
    series: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for index, each in enumerate(audited):
        match = _NUMBERED.fullmatch(each.sample.id)
        if match:
            series[match[1]].append((int(match[2]), index))
    videos: dict[str, list[int]] = {}
    for name, numbered in series.items():
        members = [index for _, index in sorted(numbered)]
        splits = {audited[i].sample.split for i in members}
        cases = {audited[i].sample.case for i in members}
        if len(members) < _LEAST_FRAMES or len(splits) == 1 or len(cases) == 1:
            continue
        vectors = details(np.stack([audited[i].thumb for i in members]))
        likeness = vectors @ vectors.T
        between = likeness[np.triu_indices(len(members), 1)]
        following = np.diag(likeness, 1)
        error = between.std() / np.sqrt(len(following))
        z = (following.mean() - between.mean()) / max(float(error), 1e-6)
        if following.mean() >= _LEAST_LIKENESS and z >= _LEAST_Z:
            videos[name] = members
    if not videos:
        return
    parts = []
    for name, members in videos.items():
        splits = {audited[i].sample.split for i in members}
        parts.append(f"{name or 'numbers'}… in {' and '.join(sorted(map(str, splits)))}")
    yield Finding(
        "video_across_splits",
        "warning",
        f"{counted(len(videos), 'series', 'series')} of numbered images "
        f"{'looks' if len(videos) == 1 else 'look'} like frames of a video and "
        f"{'lies' if len(videos) == 1 else 'lie'} in more than one split: {examples(parts)}; "
        f"neighboring frames make scores too good.",
        "Keep the published splits only to compare with published scores; else group by video "
        "(--group-by) and let splits be made.",
        _files(root, audited, list(videos.values())),
    )


def _severity(audited: Sequence[AuditedSample], across: Sequence[Sequence[int]]) -> Severity:
    """Error where a split would be scored on many images of which training holds a copy."""
    leaked: dict[str | None, int] = defaultdict(int)
    for group in across:
        # Counted against the split that is to judge, not the one that is learned from.
        if any(audited[i].sample.split == "train" for i in group):
            for i in group:
                leaked[audited[i].sample.split] += 1
    sizes: dict[str | None, int] = defaultdict(int)
    for each in audited:
        sizes[each.sample.split] += 1
    worst = [count / sizes[split] for split, count in leaked.items() if split != "train"]
    return "error" if max(worst, default=0.0) >= _LEAK_SHARE else "warning"


def _shown(root: Path, audited: Sequence[AuditedSample], members: Sequence[Sequence[int]]) -> str:
    return examples(
        " = ".join(
            f"{name} ({audited[i].sample.split})"
            for i, name in zip(
                group[:4], relative(root, [audited[i].sample.image for i in group[:4]]), strict=True
            )
        )
        for group in members
    )


def _files(
    root: Path, audited: Sequence[AuditedSample], members: Sequence[Sequence[int]]
) -> tuple[str, ...]:
    return relative(root, [audited[i].sample.image for group in members for i in group])
