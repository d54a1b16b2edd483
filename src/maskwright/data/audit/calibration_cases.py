"""Whether the images of a calibration split are cases of their own, as its promises assume."""

from collections.abc import Iterator, Sequence

import numpy as np

from maskwright.data.audit.audit_scan import Finding
from maskwright.data.cases.duplicates import thumbnail
from maskwright.data.cases.related import Ids, RelatedImages, find_related
from maskwright.data.cases.videos import settle_videos
from maskwright.data.dataset import DataSet
from maskwright.data.parallel import in_threads
from maskwright.data.samples import CALIBRATION, Sample, counted, examples, grouped
from maskwright.errors import DataError

_MANY = "a promise would count each of them as a new case"


def check_calibration_cases(dataset: DataSet, split: str = CALIBRATION) -> None:
    """Make sure that a split can be calibrated on: none of its cases is another one in disguise.

    All images of the data set are looked at, also those of other splits.

    Raises:
        DataError: If frames of a video or copies count as several cases, or a case, a video or a
            copy lies in another split, too; with the line for data.yaml that settles it.
    """
    dataset.of(split)

    def look(sample: Sample) -> np.ndarray | None:
        try:
            return thumbnail(dataset.read_image(sample))
        except DataError:
            return None

    looks = in_threads(look, dataset.samples, "Looking for copies")
    seen = [
        (s, thumb) for s, thumb in zip(dataset.samples, looks, strict=True) if thumb is not None
    ]
    samples = [sample for sample, _ in seen]
    related = find_related(
        samples,
        [dataset.hashes[sample.image] for sample in samples],
        np.array([thumb for _, thumb in seen], np.uint8),
        lambda place: dataset.read_image(samples[place]),
        bool(dataset.case_from),
    )
    for finding in calibration_findings(dataset, related, split):
        raise DataError(f"{finding.message} {finding.advice}")


def calibration_findings(
    dataset: DataSet, related: RelatedImages, split: str = CALIBRATION
) -> Iterator[Finding]:
    """Errors in a split that is to be calibrated on; none without it."""
    split_of = {sample.id: sample.split for sample in dataset.samples}

    def concerned(found: Ids) -> list[Sequence[str]]:
        return [ids for ids in found if any(split_of[name] == split for name in ids)]

    def error(message: str, advice: str, ids: Sequence[Sequence[str]]) -> Finding:
        files = tuple(name for group in ids for name in group)
        return Finding("calibration_cases", "error", message, advice, files)

    if videos := concerned(related.frames):
        names = [
            name
            for name, places in related.videos.items()
            if any(split_of[related.samples[place].id] == split for place in places)
        ]
        message = (
            f"The {split} split holds frames of {counted(len(names), 'video')} ({examples(names)}) "
            f"that are no cases: {_MANY}."
        )
        ids = [sample.id for sample in dataset.samples]
        yield error(message, settle_videos(ids, names, splits=True), videos)
    if copies := concerned(related.copies):
        shown = (" = ".join(f"{name} ({split_of[name]})" for name in ids[:4]) for ids in copies)
        message = f"The {split} split holds images with copies that count as other cases, in it or "
        message += f"elsewhere: {examples(shown)}; {_MANY}."
        advice = (
            "State `unite_duplicates: true` in data.yaml; where splits are stated, move copies "
        )
        advice += "to one of them, or delete them."
        yield error(message, advice, copies)
    by_case = grouped(dataset.samples, lambda sample: sample.together)
    shared = {case: those for case, those in by_case.items() if _is_shared(those, split)}
    if shared:
        others = sorted({str(s.split) for those in shared.values() for s in those} - {split})
        message = (
            f"{counted(len(shared), 'case')} of the {split} split also in "
            f"{' and '.join(others)}: {examples(shared)}."
        )
        advice = "Move all images of a case to one split, or state no splits and let them be made."
        yield error(message, advice, [[s.id for s in those] for those in shared.values()])


def _is_shared(samples: Sequence[Sample], split: str) -> bool:
    """Whether a case lies in a split and in another one."""
    splits = {sample.split for sample in samples}
    return split in splits and len(splits) > 1
