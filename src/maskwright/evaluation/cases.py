"""Cases of scored images: copies and frames of a video count as one; what is not new is told."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from maskwright.data.cases.duplicates import thumbnail
from maskwright.data.cases.grouping import group_cases
from maskwright.data.cases.videos import find_videos, number_series, series_of, settle_videos
from maskwright.data.samples import Sample, counted, examples, grouped
from maskwright.evaluation.result import Caution

Places = Sequence[int]


class CaseFinder:
    """Finds images of a split that belong together though they are of several cases.

    Those are images of equal pixels, copies and videos that the audit before training told, and,
    where no cases are stated, videos by names and thumbnails; no other images are compared.
    `source` is a data set, `samples` are those of the split.
    """

    def __init__(self, source: Any, samples: Sequence[Sample]) -> None:
        self.source, self.split = source, {sample.id for sample in samples}
        series = {} if source.case_from else number_series([sample.id for sample in samples])
        self._numbered = {samples[place].id for places in series.values() for place in places}
        self._thumbs: dict[str, np.ndarray] = {}

    def add(self, sample: Sample, image: np.ndarray) -> None:
        """Look at the image `(h, w, c)` of a sample that is scored."""
        if sample.id in self._numbered:
            self._thumbs[sample.id] = thumbnail(image)

    def unite(
        self, scored: Sequence[Sample], learned: Sequence[Sample]
    ) -> tuple[list[Sample], list[Caution]]:
        """Scored samples, related ones in one group of cases, and cautions on these.

        `learned` are samples of the split that are not scored, as a model has seen them.
        """
        known, number = self.source.known, len(scored)
        others = [sample for sample in self.source.samples if sample.id not in self.split]
        every = [*scored, *learned, *others]
        read = range(number + len(learned))
        by_hash = grouped(read, lambda place: self.source.content_hash(every[place]))
        copies = [*by_hash.values(), *_recorded(known.copies, by_hash)]
        recorded = [] if self.source.case_from else known.videos
        videos = self._videos(every, _recorded(recorded, by_hash))
        united = group_cases(every, [*copies, *videos.values()])
        seen = [group for group in (*known.copies, *recorded) if group & known.learned]
        units = {united[places[0]].together for places in _recorded(seen, by_hash)}
        units |= {sample.together for sample in united[number : len(read)]}
        units |= self._learned_units(united[:number], united[len(read) :])
        names = {united[places[0]].together: name for name, places in videos.items()}
        cautions = [
            *self._on_videos(videos, number),
            *_on_copies(copies, group_cases(every, videos.values())[:number]),
            *_on_learned(united[:number], units, names),
        ]
        return united[:number], cautions

    def _videos(self, every: Sequence[Sample], recorded: Iterable[Places]) -> dict[str, Places]:
        """Places of the frames of each video, by the name of its series."""
        names = list(self._thumbs)
        found = find_videos(
            {
                series: np.stack([self._thumbs[names[place]] for place in places])
                for series, places in number_series(names).items()
            }
        )
        ids = [sample.id for sample in every]
        series = number_series(ids) if found else {}
        told = {(series_of(ids[places[0]]) or (ids[places[0]],))[0]: places for places in recorded}
        return told | {name: series[name] for name in found}

    def _learned_units(self, scored: Sequence[Sample], others: Sequence[Sample]) -> set[str]:
        """Cases of scored samples of which a model has seen others, outside the split."""
        units = {sample.together for sample in scored}
        shared = {(s.together, s.split): s for s in others if s.together in units}
        return {unit for (unit, _), sample in shared.items() if self.source.is_learned(sample)}

    def _on_videos(self, videos: Mapping[str, Places], number: int) -> list[Caution]:
        """What to say of videos, if the first `number` images, which are scored, are frames."""
        frames = {name: sum(place < number for place in ps) for name, ps in videos.items()}
        names = [name for name, count in frames.items() if count > 1]
        if not names:
            return []
        images = sum(frames[name] for name in names)
        settle = settle_videos([sample.id for sample in self.source.samples], names)
        text = (
            f"{images} of {counted(number, 'image')} look like frames of "
            f"{counted(len(names), 'video')} ({examples(names)}), and no cases are stated: each "
            f"video counts as one case. {settle}"
        )
        return [Caution("videos", text)]


def unite_known(source: Any, samples: Sequence[Sample]) -> list[Sample]:
    """Samples, those of equal pixels and those known to belong together in one group of cases.

    `source` is a data set that has read their images.
    """
    by_hash = grouped(range(len(samples)), lambda place: source.content_hash(samples[place]))
    videos = () if source.case_from else source.known.videos
    recorded = _recorded((*source.known.copies, *videos), by_hash)
    return group_cases(samples, [*by_hash.values(), *recorded])


def _recorded(groups: Iterable[frozenset[str]], by_hash: Mapping[str, Places]) -> list[Places]:
    """Places of the images in each group of hashes that has any."""
    found = [[place for key in group for place in by_hash.get(key, ())] for group in groups]
    return [sorted(places) for places in found if places]


def _on_copies(copies: Iterable[Places], scored: Sequence[Sample]) -> list[Caution]:
    """What to say of copies among scored samples of several cases."""
    shown = [[scored[place] for place in places if place < len(scored)] for places in copies]
    several = [group for group in shown if len({sample.together for sample in group}) > 1]
    if not several:
        return []
    same = dict.fromkeys(" = ".join(s.id for s in group[:4]) for group in several)
    single, plural = "group of images shows the same", "groups of images show the same"
    text = (
        f"{counted(len(same), single, plural)} or nearly the same: {examples(same)}; each counts "
        f"as one case."
    )
    return [Caution("copies", text)]


def _on_learned(
    scored: Sequence[Sample], units: set[str], names: Mapping[str, str]
) -> list[Caution]:
    """What to say of cases of which a model has seen other images."""
    seen = [sample for sample in scored if sample.together in units]
    if not seen:
        return []
    cases = sorted({names.get(sample.together, sample.together) for sample in seen})
    total = counted(len({sample.together for sample in scored}), "case")
    text = (
        f"A model learned from, or was selected by, other images of {len(cases)} of {total}, "
        f"{len(seen)} of {counted(len(scored), 'image')}: {examples(cases)}; expect lower scores "
        f"on new cases."
    )
    return [Caution("learned_cases", text)]
