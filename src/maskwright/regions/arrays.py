"""Regions cut out once and kept: crops, their masks and measures, and the bags they lie in."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskwright.data.arrays import MEMORY_LIMIT_MB
from maskwright.data.dataset import DataSet
from maskwright.data.parallel import in_threads
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.regions.extract import Kind, Region, extract
from maskwright.regions.jitter import jitter
from maskwright.regions.labelling import Labelling
from maskwright.regions.measures import VECTOR_NAMES, vector
from maskwright.regions.windows import align

MATCHED = 0.3
"""IoU above which a predicted region stands for a true one."""


@dataclass(frozen=True)
class View:
    """How a mask becomes regions, and regions become crops.

    Args:
        regions: What a region of a mask is.
        size: Side of the crops, px.
        context: Margin around the box, as a share of its sides; `None` for the whole image.
        min_area_px: Smaller regions are left out.
        full_scale: Value of a pixel that counts as full, for images of floats; `None` for the
            largest of each type.
    """

    regions: Kind
    size: int
    context: float | None
    min_area_px: int = 1
    full_scale: float | None = None

    def cut(
        self,
        image: np.ndarray,
        mask: np.ndarray,
        image_id: str,
        regions: Kind | None = None,
        background: int | None = 0,
    ) -> list[Region]:
        """Regions of a mask with their crops; `regions` in place of the view's own."""
        return extract(
            image,
            mask,
            image_id=image_id,
            kind=regions or self.regions,
            background=background,
            min_area_px=self.min_area_px,
            context=self.context,
            size=self.size,
            full_scale=self.full_scale,
        )


@dataclass(frozen=True)
class Bag:
    """What one decision is made on.

    Args:
        id: Name of the region, image or case.
        case: What splits and intervals keep together.
        label: 0 or 1.
        weight: How much it counts in training.
        images: Names of its images.
        regions: Places in `RegionArrays`.
    """

    id: str
    case: str
    label: int
    weight: float
    images: tuple[str, ...]
    regions: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class RegionArrays:
    """Crops of all regions, each as it is and with errors drawn into its mask.

    Args:
        crops: `(rows, size, size, channels)` in the images' type.
        masks: uint8 `(rows, size, size)`, 1 inside.
        vectors: Measures, float32 `(rows, m)`.
        rows: Of each region, the first that of its true mask. One that is drawn more often than
            others stands there several times.
        names: Of the regions.
        bags: What is decided on.
        value_range: Pixels that stand for black and white.
        skipped: A sentence for everything that was left out.
    """

    crops: np.ndarray
    masks: np.ndarray
    vectors: np.ndarray
    rows: tuple[tuple[int, ...], ...]
    names: tuple[str, ...]
    bags: tuple[Bag, ...]
    value_range: tuple[float, float]
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.bags)

    @property
    def labels(self) -> np.ndarray:
        """Label of each bag, int32 `(bags,)`."""
        return np.array([bag.label for bag in self.bags], np.int32)

    def fingerprint(self) -> str:
        """SHA-256 of everything a model could learn from, hexadecimal."""
        digest = hashlib.sha256(repr((self.names, self.bags, self.rows)).encode())
        for part in (self.crops, self.masks, self.vectors):
            for row in part:
                digest.update(np.ascontiguousarray(row).data)
        return digest.hexdigest()


_FEW = 5

Predict = Callable[[np.ndarray, str], Sequence[Region]]
"""From an image `(h, w, c)` and its name to the regions that a segmenter finds, with crops."""
Row = tuple[np.ndarray, np.ndarray, np.ndarray]


def prepare(
    dataset: DataSet,
    samples: Sequence[Sample],
    labelling: Labelling,
    view: View,
    *,
    strength: float = 0.0,
    variants: int = 0,
    predict: Predict | None = None,
    seed: int = 0,
    memory_limit_mb: float = MEMORY_LIMIT_MB,
    skip_unreadable: bool = False,
) -> RegionArrays:
    """Cut the regions of samples out and gather them into bags.

    Args:
        dataset: That the samples are of.
        samples: With masks.
        labelling: What the regions are and what is decided on.
        view: How they are cut out.
        strength: Of `jitter`.
        variants: Jittered masks of every region, besides the true one.
        predict: Finds regions, which are kept as further variants where they meet true ones.
        seed: Of the jitter.
        memory_limit_mb: Crops above this size lie on disk.
        skip_unreadable: Leave samples out that cannot be read, instead of stopping.

    Raises:
        DataError: If nothing is left, or a sample cannot be used.
    """

    def cut(sample: Sample) -> tuple[list[tuple[str, int, list[list[Row]]]], str | None]:
        left_out = labelling.source == "image" and labelling.answers.get(sample.label or "", 0)
        if left_out is None:
            return [], None
        try:
            image, regions = true_regions(dataset, sample, view)
            labels = labelling.of(sample, regions)
        except DataError as error:
            if not skip_unreadable:
                raise
            return [], str(error)
        if not regions:
            return [], f"{sample.image} has no region; nothing in it can be decided."
        rng = np.random.default_rng([seed, *sample.id.encode()])
        guessed = [] if predict is None else predict(image, sample.id)
        found = []
        for region, label in zip(regions, labels, strict=True):
            if label is None:
                continue
            kinds = [[region], [], [guess for guess in guessed if overlap(region, guess) > MATCHED]]
            if variants:
                whole = filled(region, image.shape[:2])
                for _ in range(variants):
                    kinds[1] += view.cut(image, jitter(whole, strength, rng), sample.id, "whole")
            found.append((region.name, label, [[row(one) for one in kind] for kind in kinds]))
        return found, None

    kept = _Spool(memory_limit_mb)
    vectors: list[np.ndarray] = []
    rows: list[tuple[int, ...]] = []
    names: list[str] = []
    members: dict[str, list[tuple[Sample, int, int]]] = {}
    skipped: list[str] = []
    for sample, (found, reason) in zip(
        samples, in_threads(cut, samples, "Cutting regions"), strict=True
    ):
        if reason:
            skipped.append(reason)
        for name, label, kinds in found:
            own: list[int] = []
            most = max(len(kind) for kind in kinds)
            for kind in kinds:
                places = range(len(vectors), len(vectors) + len(kind))
                for crop, mask, numbers in kind:
                    kept.add(crop, mask)
                    vectors.append(numbers)
                # True, jittered and predicted masks are drawn alike.
                own += [place for place in places for _ in range(most // len(kind))]
            rows.append(tuple(own))
            key = {"region": name, "image": sample.id, "case": sample.case}[labelling.unit]
            members.setdefault(key, []).append((sample, label, len(names)))
            names.append(name)
    if not names:
        reason = skipped[0] if skipped else "there is no sample"
        raise DataError(f"{dataset.root} holds no region to decide on; the first reason: {reason}")
    crops, masks = kept.arrays()
    return RegionArrays(
        crops=crops,
        masks=masks,
        vectors=np.stack(vectors),
        rows=tuple(rows),
        names=tuple(names),
        bags=tuple(_bags(members)),
        value_range=_value_range(crops),
        skipped=tuple(skipped),
    )


def true_regions(dataset: DataSet, sample: Sample, view: View) -> tuple[np.ndarray, list[Region]]:
    """Image of a sample, and the regions of its mask.

    Raises:
        DataError: If a file cannot be read, or image and mask do not belong together.
    """
    image = dataset.read_image(sample)
    mask, background = read_regions(dataset, sample, view.regions)
    return image, view.cut(image, align(image, mask), sample.id, background=background)


def read_regions(dataset: DataSet, sample: Sample, regions: Kind) -> tuple[np.ndarray, int | None]:
    """Mask int32 `(h, w)` in which regions are looked for, and its label that is no region."""
    if regions == "instances":
        return dataset.read_instances(sample), 0
    labels = dataset.labels
    unnamed = labels.background is None and labels.num_classes <= 2
    return dataset.read_mask(sample), 0 if unnamed else labels.background


def row(region: Region) -> Row:
    """What a classifier is given of a region: crop, its mask, measures."""
    assert region.crop is not None
    assert region.crop_mask is not None
    return region.crop, region.crop_mask.astype(np.uint8), vector(region.measures)


def filled(region: Region, size: tuple[int, ...]) -> np.ndarray:
    """Mask of a region in its image, bool of `size`."""
    whole = np.zeros(size, bool)
    top, left, bottom, right = region.box
    whole[top:bottom, left:right] = region.mask
    return whole


def overlap(one: Region, other: Region) -> float:
    """Intersection over union of two regions of an image."""
    top, left = np.maximum(one.box[:2], other.box[:2])
    bottom, right = np.minimum(one.box[2:], other.box[2:])
    if top >= bottom or left >= right:
        return 0.0
    parts = [
        each.mask[
            top - each.box[0] : bottom - each.box[0], left - each.box[1] : right - each.box[1]
        ]
        for each in (one, other)
    ]
    common = int((parts[0] & parts[1]).sum())
    return common / (one.area_px + other.area_px - common)


def _bags(members: Mapping[str, Sequence[tuple[Sample, int, int]]]) -> Iterator[Bag]:
    """One for each key; it is positive where one of its regions is."""
    for key, found in members.items():
        first = found[0][0]
        yield Bag(
            id=key,
            case=first.together,
            label=max(label for _, label, _ in found),
            weight=float(np.mean([sample.weight for sample, _, _ in found])),
            images=tuple(dict.fromkeys(sample.id for sample, _, _ in found)),
            regions=tuple(place for _, _, place in found),
        )


def _value_range(crops: np.ndarray) -> tuple[float, float]:
    if crops.dtype == np.uint8:
        return 0.0, 255.0
    low, high = float(crops.min()), float(crops.max())
    return low, high if high > low else low + 1.0


class _Spool:
    """Crops and masks that come one by one, in memory or, above a limit, in files without names."""

    def __init__(self, limit_mb: float) -> None:
        folder = Path.home() / ".cache" / "maskwright"
        folder.mkdir(parents=True, exist_ok=True)
        self.files = [
            tempfile.SpooledTemporaryFile(int(share * limit_mb * 1e6), dir=str(folder))  # noqa: SIM115
            for share in (0.8, 0.2)
        ]
        self.kinds: list[tuple[np.dtype, tuple[int, ...]]] = []
        self.count = 0

    def add(self, *arrays: np.ndarray) -> None:
        """Append one of each; all must be of the shape and type of the first."""
        kinds = [(array.dtype, array.shape) for array in arrays]
        self.kinds = self.kinds or kinds
        if kinds != self.kinds:
            raise DataError(
                f"Expected images of one kind; some have {self.kinds[0][1][-1]} channels of "
                f"{self.kinds[0][0]}, others {kinds[0][1][-1]} of {kinds[0][0]}."
            )
        for file, array in zip(self.files, arrays, strict=True):
            file.write(np.ascontiguousarray(array).data)
        self.count += 1

    def arrays(self) -> list[np.ndarray]:
        """Everything added, each kind as one array."""
        found: list[np.ndarray] = []
        for file, (dtype, shape) in zip(self.files, self.kinds, strict=True):
            whole = (self.count, *shape)
            file.seek(0)
            if getattr(file, "_rolled", False):
                found.append(np.memmap(file, dtype, "r", shape=whole))
            else:
                found.append(np.frombuffer(file.read(), dtype).reshape(whole))
                file.close()
        return found


MEASURES = VECTOR_NAMES
"""Names of the columns of `RegionArrays.vectors`."""


def segmenter_iou(
    dataset: DataSet, samples: Sequence[Sample], view: View, predict: Predict
) -> float | None:
    """Mean intersection over union of true regions and those that a segmenter finds for them.

    Regions that it misses do not count. `None` where fewer than five are left.
    """

    def best(sample: Sample) -> list[float]:
        image, regions = true_regions(dataset, sample, view)
        guesses = predict(image, sample.id)
        return [max((overlap(one, guess) for guess in guesses), default=0.0) for one in regions]

    found = [
        value
        for values in in_threads(best, samples, "Looking at the segmenter's errors")
        for value in values
        if value > MATCHED
    ]
    return float(np.mean(found)) if len(found) >= _FEW else None
