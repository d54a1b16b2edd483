"""Probe the files of a data set: headers of images, contents of masks, each read once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from maskwright.data.encodings.contents import MaskContents
from maskwright.data.encodings.encoding import Encoding
from maskwright.data.parallel import in_threads
from maskwright.data.readers.mask_contents import read_all_contents
from maskwright.data.readers.mask_fit import FitResult, HeaderPair, MaskOrientation, fit_masks
from maskwright.data.samples import Item, Sample, SkippedFile
from maskwright.errors import DataError
from maskwright.imageio import Header, read_header

_MAX_SAMPLES = 4000  # whose headers are read; beyond, faults show when a sample is read
_MAX_HEADERS = 50_000  # held, about 20 MB; those of further files are read each time


@dataclass(frozen=True)
class Headers:
    """Headers of image files, each read when it is first asked for; safe in threads."""

    by_path: dict[Path, Header] = field(default_factory=dict, repr=False)

    def of(self, path: Path) -> Header:
        """Size and kind of an image; `DataError` where it cannot be read."""
        header = self.by_path.get(path)
        if header is None:
            header = read_header(path)
            if len(self.by_path) < _MAX_HEADERS:
                self.by_path[path] = header
        return header


@dataclass
class ProbeResult:
    """Samples without a fault so far, what most images are, and what masks that were read hold."""

    samples: list[Sample]
    headers: Headers
    skipped: list[SkippedFile] = field(default_factory=list)
    channels: int = 0
    dtype: str = ""
    contents: dict[Path, MaskContents] = field(default_factory=dict)
    fit: FitResult = field(default_factory=FitResult)

    def skip(self, faults: Mapping[str, SkippedFile]) -> None:
        """Take samples out, by their ids."""
        self.skipped += faults.values()
        self.samples = [sample for sample in self.samples if sample.id not in faults]


def probe(
    root: Path,
    samples: Sequence[Sample],
    seed: int,
    scaled_masks: bool = False,
    mask_orientation: MaskOrientation | None = None,
) -> ProbeResult:
    """Read headers and masks; samples with a fault are skipped, `DataError` if none is left.

    `seed` decides whose headers are read where there are many samples; of masks, all are read; the
    last two are those of `fit_masks`.
    """
    result = ProbeResult(list(samples), Headers())
    pairs = _probe_headers(result, seed)
    result.fit = fit_masks(pairs, scaled_masks, mask_orientation)
    by_id = {pair.sample.id: pair.sample.image for pair in pairs}
    result.skip(
        {
            id_: SkippedFile(by_id[id_], reason, broken=True)
            for id_, reason in result.fit.faults.items()
        }
    )
    _probe_masks(result, root)
    if not result.samples:
        raise DataError(f"No sample can be used; of the first: {result.skipped[0].reason}")
    return result


def classes_by_sample(
    samples: Sequence[Sample], contents: Mapping[Path, MaskContents], encoding: Encoding
) -> dict[str, set[str]]:
    """By the id of a sample, its image label and the classes in its masks, as far as probed."""
    classes = {sample.id: {f"image {label}" for label in sample.labels} for sample in samples}
    for sample in samples:
        if sample.classes:
            found = list(zip(sample.classes, sample.masks, strict=True))
            colors = {m: contents[m].as_colors() if m in contents else [(1,)] for _, m in found}
            shown = {name for name, m in found if any(map(max, colors[m]))}
            classes[sample.id] |= {f"class {name}" for name in shown}
            continue
        for content in (contents[mask] for mask in sample.masks if mask in contents):
            values = content.as_colors() if encoding.kind == "colors" else content.values
            labels = {encoding.label_of(value) for value in values} - {None}
            classes[sample.id] |= {f"class {label}" for label in labels}
    return classes


def kind_differs(channels: int, dtype: str, expected: int, expected_dtype: str) -> str:
    """What is wrong with an image of another kind, or `""`; gray and RGB go together."""
    if channels != expected and {channels, expected} != {1, 3}:
        return f"has {channels} channels where the data set has {expected}"
    if dtype != expected_dtype:
        return f"holds {dtype} pixels where the data set has {expected_dtype}"
    return ""


def _probe_headers(result: ProbeResult, seed: int) -> list[HeaderPair]:
    """Skip images that cannot be read or are of another kind than most; pairs of the others."""
    samples = _random_subset(result.samples, _MAX_SAMPLES, [seed, 1])
    read = partial(_read_headers, result.headers)
    faults: dict[str, SkippedFile] = {}
    readable: list[tuple[Sample, Header, Header | None]] = []
    for sample, outcome in zip(samples, in_threads(read, samples, "Probing images"), strict=True):
        if isinstance(outcome, SkippedFile):
            faults[sample.id] = outcome
        else:
            readable.append((sample, *outcome))
    if readable:
        kinds = Counter((image.channels, image.dtype) for _, image, _ in readable)
        result.channels, result.dtype = kinds.most_common(1)[0][0]
    for sample, image, _ in readable:
        problem = kind_differs(image.channels, image.dtype, result.channels, result.dtype)
        if problem:
            faults[sample.id] = SkippedFile(sample.image, f"{sample.image} {problem}.", broken=True)
    result.skip(faults)
    return [
        HeaderPair(sample, image, mask)
        for sample, image, mask in readable
        if mask is not None and sample.id not in faults
    ]


def _read_headers(headers: Headers, sample: Sample) -> tuple[Header, Header | None] | SkippedFile:
    """Headers of an image and its first mask, or what is wrong with them."""
    broken = False
    try:
        mask = headers.of(sample.masks[0]) if sample.masks else None
        broken = True
        return headers.of(sample.image), mask
    except DataError as error:
        return SkippedFile(sample.image, str(error), broken)


def _probe_masks(result: ProbeResult, root: Path) -> None:
    paths = [mask for sample in result.samples for mask in sample.masks]
    outcomes = read_all_contents(root, paths)
    result.contents = {p: held for p, held in outcomes.items() if not isinstance(held, str)}
    result.skip(
        {
            sample.id: SkippedFile(mask, reason, broken=True)
            for sample in result.samples
            for mask in sample.masks
            if isinstance(reason := outcomes.get(mask), str)
        }
    )


def _random_subset(items: Sequence[Item], most: int, seed: Sequence[int]) -> list[Item]:
    """At most so many items, in order."""
    if len(items) <= most:
        return list(items)
    chosen = np.random.default_rng(seed).choice(len(items), most, replace=False)
    return [items[index] for index in sorted(chosen.tolist())]
