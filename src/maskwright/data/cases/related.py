"""Images that belong together whatever their cases: copies, and frames of videos."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.data.cases.duplicates import near_duplicates
from maskwright.data.cases.grouping import groups
from maskwright.data.cases.videos import find_videos, number_series
from maskwright.data.samples import Sample, grouped

Ids = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class RelatedImages:
    """Places of samples whose images are the same, or nearly, and of videos by their names."""

    samples: Sequence[Sample]
    exact: Sequence[Sequence[int]]
    near: Sequence[Sequence[int]]
    videos: Mapping[str, Sequence[int]]

    @property
    def copies(self) -> Ids:
        """Ids of copies that are of several cases."""
        return self._parted((*self.exact, *self.near))

    @property
    def frames(self) -> Ids:
        """Ids of the frames of each video that are of several cases."""
        return self._parted([*self.videos.values()])

    def _parted(self, related: Sequence[Sequence[int]]) -> Ids:
        """Ids in the groups that are not of one case, or of one group of cases."""
        members = [[self.samples[place] for place in places] for places in related]
        return tuple(
            tuple(sample.id for sample in group)
            for group in members
            if len({sample.together for sample in group}) > 1
        )


def find_related(
    samples: Sequence[Sample],
    hashes: Sequence[str],
    thumbs: np.ndarray,
    read: Callable[[int], np.ndarray],
    cases_stated: bool,
) -> RelatedImages:
    """Copies among images by hash and thumbnail `(n, 64, 64)`, and, without stated cases, videos.

    `read` is as for `near_duplicates`.
    """
    same = grouped(range(len(samples)), lambda place: hashes[place]).values()
    pairs = ((i, j) for i, j in near_duplicates(thumbs, read) if hashes[i] != hashes[j])
    series = {} if cases_stated else number_series([sample.id for sample in samples])
    videos = find_videos({name: thumbs[places] for name, places in series.items()})
    return RelatedImages(
        samples=samples,
        exact=[places for places in same if len(places) > 1],
        near=groups(pairs),
        videos={name: series[name] for name in videos},
    )
