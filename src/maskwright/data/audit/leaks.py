"""Leaks between splits: copies, cases and videos of which training has seen a part."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from maskwright.data.audit.audit_scan import AuditedSample, Finding, Severity, finding
from maskwright.data.cases.related import RelatedImages
from maskwright.data.cases.videos import settle_videos
from maskwright.data.dataset import DataSet
from maskwright.data.samples import counted, examples, grouped

_LEAK_SHARE = 0.02  # of the images of a split: what moves its score by more than its interval

Group = Sequence[AuditedSample]


def find_leaks(dataset: DataSet, audited: Group, related: RelatedImages) -> Iterator[Finding]:
    """Copies, cases and videos, within a split and across splits, of samples that can be used."""
    exact, near = ([[audited[p] for p in ps] for ps in g] for g in (related.exact, related.near))
    differ = [group for group in exact if len({e.labels_digest for e in group}) > 1]
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
    videos = {name: [audited[p] for p in places] for name, places in related.videos.items()}
    yield from _video_findings(dataset, videos)


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


def _video_findings(dataset: DataSet, videos: Mapping[str, Group]) -> Iterator[Finding]:
    """Videos in more than one split, and others, whose frames count as cases of their own."""
    across = {name: group for name, group in videos.items() if len(_splits(group)) > 1}
    within = {name: group for name, group in videos.items() if len(_splits(group)) == 1}
    ids = [sample.id for sample in dataset.samples]
    if across:
        look, lies = ("looks", "lies") if len(across) == 1 else ("look", "lie")
        message = (
            f"{counted(len(across), 'series', 'series')} of numbered images {look} like frames of "
            f"a video and {lies} in more than one split: {_placed(across)}; neighboring frames "
            f"make scores too good."
        )
        advice = "Keep published splits only to compare with published scores. "
        advice += settle_videos(ids, videos, splits=True)
        result = finding("video_across_splits", "warning", message, _files([*across.values()]))
        yield replace(result, advice=advice)
    if within:
        look = "looks" if len(within) == 1 else "look"
        message = (
            f"{counted(len(within), 'series', 'series')} of numbered images {look} like frames of "
            f"a video: {_placed(within)}; intervals of scores count each video as one case."
        )
        result = finding("video_frames", "note", message, _files([*within.values()]))
        yield replace(result, advice=settle_videos(ids, videos))


def _placed(videos: Mapping[str, Group]) -> str:
    """Names of the first videos, with the splits that they lie in."""
    return examples(
        f"{name} in {' and '.join(sorted(map(str, _splits(group))))}"
        for name, group in videos.items()
    )


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
