"""Videos: series of numbered images of which neighbors look alike."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from maskwright.data.cases.duplicates import details
from maskwright.data.samples import yaml_line

# Frames of a video resemble the next more than others of the same name. On CamVid, neighbors
# correlate at 0.31 to 0.62, of four videos together with z = 10; the numbered photographs of BUSI
# and pets at most at 0.21.
_LEAST_FRAMES = 4  # of a series
_LEAST_TOGETHER = 8  # frames of all series that resemble a video
_MAX_FRAMES = 1000  # of a series, evenly spread, that are compared with each other
_LEAST_LIKENESS = 0.3
_LEAST_Z = 3.0
_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)")
_ITSELF = "(.+)"
_PATTERNS = ("(.+)_", "(.+)-", "(.*[^0-9])[0-9]", "[0-9]+([^0-9]+)$")


def series_of(name: str) -> tuple[str, int] | None:
    """What names share that differ in their last number alone, such as `v_….a` of `v_1.a`, and it.

    `None` without a number.
    """
    match = _NUMBERED.fullmatch(name)
    return (f"{match[1]}…{match[3]}", int(match[2])) if match else None


def number_series(ids: Sequence[str]) -> dict[str, list[int]]:
    """Places of the ids of each series, as `series_of` names it, in the order of their numbers.

    Those of fewer than four are left out.
    """
    series: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for place, name in enumerate(ids):
        if numbered := series_of(name):
            series[numbered[0]].append((numbered[1], place))
    return {
        name: [place for _, place in sorted(places)]
        for name, places in series.items()
        if len(places) >= _LEAST_FRAMES
    }


def find_videos(series: Mapping[str, np.ndarray]) -> list[str]:
    """Names of the series that are videos, by the thumbnails `(n, 64, 64)` of each, in order.

    In a video, neighbors look alike, and more than images that lie apart; all that a standing
    camera shows may be copies, see `near_duplicates`. The series whose neighbors look alike decide
    together, as a few frames show little alone.
    """
    alike: list[str] = []
    gain = variance = 0.0  # of the sum of correlations of neighbors
    for name, thumbs in series.items():
        vectors = details(thumbs)
        following = np.einsum("nd,nd->n", vectors[:-1], vectors[1:])
        if following.mean() >= _LEAST_LIKENESS:
            some = vectors[:: -(-len(vectors) // _MAX_FRAMES)]
            apart = (some @ some.T)[np.triu_indices(len(some), 2)]
            gain += float((following - apart.mean()).sum())
            variance += len(following) * float(apart.var())
            alike.append(name)
    many = sum(len(series[name]) for name in alike) >= _LEAST_TOGETHER
    return alike if many and gain >= _LEAST_Z * np.sqrt(variance) else []


def settle_videos(ids: Sequence[str], videos: Iterable[str], splits: bool = False) -> str:
    """What to state in data.yaml of series that look like videos, by their names; a sentence.

    With `splits`, so that new ones are made, too.
    """
    series = number_series(ids)
    pattern = _case_pattern(ids, [series[name] for name in videos if name in series])
    line = yaml_line("group_by", pattern) if pattern else "a `manifest` with a column `case`"
    more = f" and {yaml_line('splits', {})}" if splits else ""
    made = ", so that splits are made by video" if splits else ""
    alone = yaml_line("group_by", _ITSELF)
    return (
        f"State {line}{more} in data.yaml{made}, or {alone} where each image is a case of its own."
    )


def _case_pattern(ids: Sequence[str], videos: Sequence[Sequence[int]]) -> str:
    """Pattern for `group_by` by which each video, of places in `ids`, is a case; `""` without."""
    video_of = {place: number for number, places in enumerate(videos) for place in places}
    for pattern in _PATTERNS:
        matches = [re.search(pattern, name) for name in ids]
        cases = [match[1] if match else "" for match in matches]
        pairs = {(video, cases[place]) for place, video in video_of.items()}
        if videos and all(cases) and len(pairs) == len(videos) == len({case for _, case in pairs}):
            return pattern
    return ""
