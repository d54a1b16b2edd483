"""Near-duplicate images, from thumbnails alone, and the cases that they unite."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from maskwright.data.geometry import resize_image
from maskwright.data.parallel import in_threads
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.imageio import natural_key, read_image

THUMB_SIDE = 32  # of the thumbnails, pixels
# Measured on BUSI, whose near-duplicate groups are published: pairs of a group differ in at most 11
# of 128 bits and correlate from 0.91; other pairs correlate up to 0.85.
_MAX_BITS = 16
_MIN_CORRELATION = 0.9
# Light that falls off to the corners makes all images of a microscope alike; detail does not.
_DETAIL_SIGMA = 6.0
_MAX_PAIRS = 4_000_000


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Gray float32 `(32, 32)` of an image `(h, w, c)` of any type."""
    # Shrunk first: the mean over channels of a whole image costs more than all the rest.
    small = resize_image(image, (THUMB_SIDE, THUMB_SIDE))
    return np.nan_to_num(small.astype(np.float32).mean(axis=-1))


def details(thumbs: np.ndarray) -> np.ndarray:
    """Thumbnails `(n, 32, 32)` as unit vectors of detail `(n, 1024)`, whose products correlate."""
    sharp = np.stack([thumb - cv2.GaussianBlur(thumb, (0, 0), _DETAIL_SIGMA) for thumb in thumbs])
    vectors = sharp.reshape(len(thumbs), -1)
    vectors = vectors - vectors.mean(axis=1, keepdims=True)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(length > 1e-3, vectors / np.maximum(length, 1e-3), 0).astype(np.float32)


def near_duplicates(thumbs: np.ndarray) -> list[tuple[int, int]]:
    """Pairs `(i, j)`, `i < j`, of thumbnails `(n, 32, 32)` that show the same picture.

    Resized, recompressed, brightened and slightly cropped copies count; turned ones do not. Hashes
    of gradients propose pairs, the correlation of detail decides.
    """
    if len(thumbs) < 2:
        return []
    vectors, hashes = details(thumbs), _hashes(thumbs)
    at_once = max(1, _MAX_PAIRS // len(thumbs))
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(thumbs), at_once):
        block, others = hashes[start : start + at_once, None], hashes[None, start:]
        bits = np.bitwise_count(block ^ others).sum(axis=-1, dtype=np.uint8)
        first, second = np.nonzero(bits <= _MAX_BITS)
        first, second = first[first < second] + start, second[first < second] + start
        for part in np.array_split(np.arange(len(first)), len(first) // 100_000 + 1):
            alike = np.einsum("nd,nd->n", vectors[first[part]], vectors[second[part]])
            similar = part[alike >= _MIN_CORRELATION]
            pairs += zip(first[similar].tolist(), second[similar].tolist(), strict=True)
    return pairs


def groups(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Sorted groups of all that are linked by pairs, directly or through others."""
    from scipy.cluster.hierarchy import DisjointSet  # takes a while

    pairs = list(pairs)
    linked = DisjointSet({item for pair in pairs for item in pair})
    for first, second in pairs:
        linked.merge(first, second)
    return sorted(sorted(subset) for subset in linked.subsets())


def digest_of(pixels: np.ndarray) -> bytes:
    """Hash of the shape and the values of an array."""
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.digest()


def content_hash(image: np.ndarray, name: str) -> str:
    """Hash of the decoded pixels of an image, hexadecimal, the same in whatever file they lie.

    Of an image of one color `name` is a part: that it is black tells of no common origin.
    """
    digest = digest_of(image) + (name.encode("utf-8", "surrogatepass") if is_flat(image) else b"")
    return hashlib.blake2b(digest, digest_size=16).hexdigest()


def is_flat(image: np.ndarray) -> bool:
    """Whether all pixels of `(h, w, c)` have one color."""
    first = image[0, 0]
    return bool((image[0] == first).all() and (image == first).all())  # most end with the first row


def _hashes(thumbs: np.ndarray) -> np.ndarray:
    """128 bits per thumbnail, uint64 `(n, 2)`: the difference hash of Krawetz, 2013, both ways."""
    rises = []
    for size in ((9, 8), (8, 9)):
        small = np.stack([cv2.resize(t, size, interpolation=cv2.INTER_AREA) for t in thumbs])
        rises.append(np.diff(small, axis=2 if size == (9, 8) else 1).reshape(len(thumbs), 64) > 0)
    return np.packbits(np.concatenate(rises, axis=1), axis=1).view(np.uint64)


def unite_duplicates(samples: Sequence[Sample]) -> tuple[list[Sample], list[list[str]]]:
    """Give cases whose images are the same, or nearly, one group, which no split parts.

    A group is called after the first of its cases by name. An image that cannot be read is like no
    other. Returns the samples, in order, and the ids in each group of copies of different cases.
    """
    paths = list(dict.fromkeys(sample.image for sample in samples))
    prints = dict(zip(paths, in_threads(_fingerprint, paths, "Finding copies"), strict=True))
    shown = [(i, *each) for i, s in enumerate(samples) if (each := prints[s.image]) is not None]
    thumbs = np.array([thumb for _, thumb, _ in shown], "f4").reshape(-1, THUMB_SIDE, THUMB_SIDE)
    copies = [(shown[first][0], shown[second][0]) for first, second in near_duplicates(thumbs)]
    first_with: dict[bytes, int] = {}
    copies += [(first_with.setdefault(digest, i), i) for i, _, digest in shown if digest]
    first_of: dict[str, int] = {}
    same_case = [(first_of.setdefault(s.case, i), i) for i, s in enumerate(samples)]
    group_of: dict[int, str] = {}
    for members in groups([*copies, *same_case]):
        cases = {samples[i].case for i in members}
        if len(cases) > 1:
            group_of |= dict.fromkeys(members, min(cases, key=natural_key))
    united = [
        [samples[i].id for i in members]
        for members in groups(copies)
        if len({samples[i].case for i in members}) > 1
    ]
    return [replace(s, group=group_of.get(i)) for i, s in enumerate(samples)], united


def _fingerprint(path: Path) -> tuple[np.ndarray, bytes] | None:
    """Thumbnail and hash of an image, the hash empty where it shows nothing; `None` if broken."""
    try:
        image = read_image(path)
    except DataError:
        return None
    # All black frames are equal, but they tell of no common origin.
    return thumbnail(image), b"" if is_flat(image) else digest_of(image)
