"""Leaks between splits: copies, cases and videos of which training has seen a part."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from maskwright.data.audit.audit_scan import AuditedSample, Finding, Severity, finding
from maskwright.data.dataset import DataSet
from maskwright.data.duplicates import details, groups, near_duplicates
from maskwright.data.samples import counted, examples, grouped

_LEAK_SHARE = 0.02  # of the images of a split: what moves its score by more than its interval
# Frames of a video resemble the next more than others of the same name. On CamVid, neighbors
# correlate at 0.53 to 0.62 with z from 4; the numbered photographs of BUSI and pets below 0.22.
_LEAST_FRAMES = 8
_MAX_FRAMES = 1000  # of a series, evenly spread, that are compared with each other
_LEAST_LIKENESS = 0.3
_LEAST_Z = 3.0
_NUMBERED = re.compile(r"(.*?)(\d+)\D*")

Group = Sequence[AuditedSample]


def find_leaks(dataset: DataSet, audited: Group) -> Iterator[Finding]:
    """Copies, cases and videos, within a split and across splits, of samples that can be used."""
    by_digest = grouped(audited, lambda each: each.content)
    exact: list[Group] = [members for members in by_digest.values() if len(members) > 1]
    thumbs = np.array([each.thumb for each in audited], np.uint8)
    similar = groups(
        (first, second)
        for first, second in near_duplicates(
            thumbs, lambda place: dataset.read_image(audited[place].sample)
        )
        if audited[first].content != audited[second].content
    )
    near = [[audited[index] for index in members] for members in similar]
    differ = [group for group in exact if len({each.labels_digest for each in group}) > 1]
    if differ:
        single, several = "group of equal images has", "groups of equal images have"
        message = f"{counted(len(differ), single, several)} different masks: {_shown(differ)}."
        yield finding("different_masks", "warning", message, _files(differ))
    yield from _copy_findings(audited, exact, "duplicates", "the same")
    yield from _copy_findings(audited, near, "near_duplicates", "nearly the same")
    by_case = grouped(audited, lambda each: each.sample.case)
    shared = {case: members for case, members in by_case.items() if len(_splits(members)) > 1}
    if shared:
        members = list(shared.values())
        message = f"{counted(len(shared), 'case lies', 'cases lie')} in more than one split: "
        message += f"{examples(shared)}; what was learned of a case makes its scores too good."
        yield finding("case_across_splits", _severity(audited, members), message, _files(members))
    yield from _videos(audited)


def _copy_findings(
    audited: Group, copies: Sequence[Group], code: str, kind: str
) -> Iterator[Finding]:
    within = [group for group in copies if len(_splits(group)) == 1]
    across = [group for group in copies if len(_splits(group)) > 1]
    if within:
        single, several = "group of images within a split is", "groups of images within a split are"
        message = f"{counted(len(within), single, several)} {kind}: {_shown(within)}."
        severity: Severity = "warning" if code == "duplicates" else "note"
        result = finding(code, severity, message, _files(within))
        if all(len({each.sample.case for each in group}) == 1 for group in within):
            nothing = "Nothing: each group is one case, which no split parts."
            result = replace(result, advice=nothing)
        yield result
    if across:
        single = "group of images in different splits is"
        several = "groups of images in different splits are"
        message = f"{counted(len(across), single, several)} {kind}: {_shown(across)}; "
        message += "scores there are too good."
        severity = _severity(audited, across)
        yield finding(f"{code}_across_splits", severity, message, _files(across))


def _videos(audited: Group) -> Iterator[Finding]:
    """Numbered images that resemble their neighbors and lie in more than one split."""
    series: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for index, each in enumerate(audited):
        match = _NUMBERED.fullmatch(each.sample.id)
        if match:
            series[match[1]].append((int(match[2]), index))
    videos: dict[str, Group] = {}
    for name, numbered in series.items():
        members = [audited[index] for _, index in sorted(numbered)]
        cases = {each.sample.case for each in members}
        if len(members) < _LEAST_FRAMES or len(_splits(members)) == 1 or len(cases) == 1:
            continue
        vectors = details(np.stack([each.thumb for each in members]))
        following = np.einsum("nd,nd->n", vectors[:-1], vectors[1:])
        some = vectors[:: -(-len(vectors) // _MAX_FRAMES)]
        between = (some @ some.T)[np.triu_indices(len(some), 1)]
        error = between.std() / np.sqrt(len(following))
        z = (following.mean() - between.mean()) / max(float(error), 1e-6)
        if following.mean() >= _LEAST_LIKENESS and z >= _LEAST_Z:
            videos[name] = members
    if videos:
        parts = [
            f"{name or 'numbers'}… in {' and '.join(sorted(map(str, _splits(members))))}"
            for name, members in videos.items()
        ]
        looks, lies = ("looks", "lies") if len(videos) == 1 else ("look", "lie")
        message = (
            f"{counted(len(videos), 'series', 'series')} of numbered images {looks} like frames of "
            f"a video and {lies} in more than one split: {examples(parts)}; neighboring frames "
            f"make scores too good."
        )
        yield finding("video_across_splits", "warning", message, _files(list(videos.values())))


def _splits(group: Group) -> set[str | None]:
    return {each.sample.split for each in group}


def _severity(audited: Group, across: Sequence[Group]) -> Severity:
    """Error where a split would be scored on many images of which training holds a copy."""
    # Counted against the split that is to judge, not the one that is learned from.
    leaks = [group for group in across if "train" in _splits(group)]
    leaked = Counter(each.sample.split for group in leaks for each in group)
    sizes = Counter(each.sample.split for each in audited)
    worst = [count / sizes[split] for split, count in leaked.items() if split != "train"]
    return "error" if max(worst, default=0.0) >= _LEAK_SHARE else "warning"


def _shown(copies: Sequence[Group]) -> str:
    return examples(
        " = ".join(f"{each.name} ({each.sample.split})" for each in group[:4]) for group in copies
    )


def _files(copies: Sequence[Group]) -> list[str]:
    return [each.name for group in copies for each in group]
