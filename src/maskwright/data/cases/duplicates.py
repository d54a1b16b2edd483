"""Near-duplicate images, and the cases that they unite."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from maskwright.data.cases.grouping import group_cases, groups
from maskwright.data.cases.registration import (
    SIDE,
    detail,
    look_alike,
    register_roughly,
    same_picture,
    turned,
    view,
)
from maskwright.data.parallel import in_threads
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.imageio import read_image

THUMB_SIDE = 64  # of the thumbnails, pixels
_CANDIDATE_SIDE = 12  # that thumbnails shrink to, so that a copy may be cropped a little
_MIN_CORRELATION = 0.65  # of a candidate: a field of cells and the same, shifted by 5%
_MOST_CANDIDATES = 100_000  # of all images together, but at least five of each
_ORIENTATIONS = 8
_MAX_CELLS = 4_000_000  # of a table of correlations
_MAX_VIEWS = 512  # held, 32 MB
_HASHED_ROWS = 8  # of which one is hashed, in an image that has at least
_TALL = 64  # rows


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Gray uint8 `(64, 64)` of an image `(h, w, c)` of any type, its contrast stretched."""
    return view(image, THUMB_SIDE)


def details(thumbs: np.ndarray, side: int = 32) -> np.ndarray:
    """Thumbnails `(n, 64, 64)` as unit vectors of detail `(n, side²)`, whose products correlate."""
    # Light that falls off to the corners makes all images of a microscope alike; detail does not.
    sharp = np.stack([detail(shrunk(thumb, side), max(side * 3 / 16, 3)) for thumb in thumbs])
    vectors = sharp.reshape(len(thumbs), -1)
    vectors = vectors - vectors.mean(axis=1, keepdims=True)
    return _unit(vectors)


def near_duplicates(thumbs: np.ndarray, read: Callable[[int], np.ndarray]) -> list[tuple[int, int]]:
    """Pairs `(i, j)`, `i < j`, of images that show the same picture, in order.

    Resized, recompressed, brightened and slightly cropped copies count, also turned by quarters and
    mirrored. Thumbnails `(n, 64, 64)` propose pairs, the likeliest few of each image; registration
    and detail decide, first of the thumbnails, then of the images `(h, w, c)`, which `read` gives
    by index, or raises `DataError`.
    """

    @lru_cache(_MAX_VIEWS)
    def large(index: int) -> np.ndarray | None:
        try:
            image = read(index)
        except DataError:
            return None
        return view(image, int(np.clip(min(image.shape[:2]), THUMB_SIDE, SIDE)))

    def same(pair: tuple[int, int, int]) -> bool:
        first, second, likeliest = pair
        # What is nearly symmetric may look most alike turned, though the copy is not.
        for orientation in dict.fromkeys((likeliest, 0)):
            small = thumbs[first], turned(thumbs[second], orientation)
            warp = register_roughly(*small)
            if warp is None or not look_alike(*small, warp):
                continue
            views = [each for each in (large(first), large(second)) if each is not None]
            if len(views) == 2:
                one, other = (shrunk(each, min(map(len, views))) for each in views)
                if same_picture(one, turned(other, orientation), warp, THUMB_SIDE):
                    return True
        return False

    pairs = list(_candidates(thumbs))
    decided = zip(pairs, in_threads(same, pairs, "Comparing images"), strict=True)
    return [(first, second) for (first, second, _), is_same in decided if is_same]


def _candidates(thumbs: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Pairs of thumbnails that look alike, and the orientation of the second, for each first."""
    if len(thumbs) < 2:
        return
    vectors = details(thumbs, _CANDIDATE_SIDE)
    # What all images of a set share, such as the disc of a retina, does not tell them apart.
    common = vectors.mean(axis=0)
    most = max(5, _MOST_CANDIDATES // len(thumbs))
    at_once = max(1, _MAX_CELLS // len(thumbs))
    for start in range(0, len(thumbs), at_once):
        rows = vectors[start : start + at_once]
        best, how = best_orientations(rows, vectors[start:])
        later = np.arange(best.shape[1]) > np.arange(len(best))[:, None]
        likely = later & (best >= _MIN_CORRELATION)
        crowded = np.flatnonzero(likely.sum(axis=1) > most)
        if len(crowded):
            rank, _ = best_orientations(rows[crowded], vectors[start:], common)
            rank[~likely[crowded]] = -2
            least = np.partition(rank, -most, axis=1)[:, -most]
            likely[crowded] &= rank >= least[:, None]
        for row, column in np.argwhere(likely).tolist():
            yield start + row, start + column, int(how[row, column])


def best_orientations(
    first: np.ndarray, second: np.ndarray, common: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Highest correlations `(n, m)` of vectors `(n, d)` with `(m, d)`, turned, and how these are.

    With `common`, of what remains of the vectors without it.
    """
    places = np.arange(first.shape[1]).reshape(math.isqrt(first.shape[1]), -1)
    best = np.full((len(first), len(second)), -1, np.float32)
    how = np.zeros(best.shape, np.int8)
    for orientation in range(_ORIENTATIONS):
        # Turning the few first ones back is the same as turning the many second ones.
        back = np.argsort(turned(places, orientation).ravel())
        one, other = first[:, back], second
        if common is not None:
            one, other = _unit(one - common[back]), _unit(other - common[back])
        alike = one @ other.T
        better = alike > best
        np.copyto(best, alike, where=better)
        how[better] = orientation
    return best, how


def shrunk(pixels: np.ndarray, side: int) -> np.ndarray:
    """Pixels `(n, n)` as `(side, side)`, each the mean of an area."""
    return cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length one, float32; those without length stay 0."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(length > 1e-3, vectors / np.maximum(length, 1e-3), 0).astype(np.float32)


def digest_of(pixels: np.ndarray) -> bytes:
    """Hash of the shape and the values of an array."""
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.digest()


def content_hash(image: np.ndarray, name: str) -> str:
    """Hash of decoded pixels `(h, w, c)`, hexadecimal, the same in whatever file they lie.

    Every eighth row counts, as no two photographs share those, and all rows where those are of one
    color. Of an image of one color `name` is a part: that it is black tells of no common origin.
    """
    rows = image[::_HASHED_ROWS] if len(image) >= _TALL else image
    flat = is_flat(rows)
    digest = digest_of(image if flat else rows) + repr(image.shape).encode()
    if flat and is_flat(image):
        digest += name.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(digest, digest_size=16).hexdigest()


def is_flat(image: np.ndarray) -> bool:
    """Whether all pixels of `(h, w, c)` have one color."""
    first = image[0, 0]
    return bool((image[0] == first).all() and (image == first).all())  # most end with the first row


def unite_duplicates(samples: Sequence[Sample]) -> tuple[list[Sample], list[list[str]]]:
    """Give cases whose images are the same, or nearly, one group, which no split parts.

    A group is called after the first of its cases by name. An image that cannot be read is like no
    other. Returns the samples, in order, and the ids in each group of copies of different cases.
    """
    paths = list(dict.fromkeys(sample.image for sample in samples))
    prints = dict(zip(paths, in_threads(_fingerprint, paths, "Finding copies"), strict=True))
    shown = [(i, *each) for i, s in enumerate(samples) if (each := prints[s.image]) is not None]
    thumbs = np.array([thumb for _, thumb, _ in shown], "u1").reshape(-1, THUMB_SIDE, THUMB_SIDE)
    pairs = near_duplicates(thumbs, lambda place: read_image(samples[shown[place][0]].image))
    copies = [(shown[first][0], shown[second][0]) for first, second in pairs]
    first_with: dict[bytes, int] = {}
    copies += [(first_with.setdefault(digest, i), i) for i, _, digest in shown if digest]
    united = group_cases([replace(sample, group=None) for sample in samples], groups(copies))
    differ = [
        [samples[place].id for place in members]
        for members in groups(copies)
        if len({samples[place].case for place in members}) > 1
    ]
    return united, differ


def _fingerprint(path: Path) -> tuple[np.ndarray, bytes] | None:
    """Thumbnail and hash of an image, the hash empty where it shows nothing; `None` if broken."""
    try:
        image = read_image(path)
    except DataError:
        return None
    # All black frames are equal, but they tell of no common origin.
    return thumbnail(image), b"" if is_flat(image) else digest_of(image)
