"""Small fingerprints of images, by which copies are known although their pixels differ."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from maskwright.data.cases.duplicates import best_orientations, content_hash, shrunk, thumbnail
from maskwright.data.cases.registration import detail

VERSION = 1
"""Of fingerprints; those of another version are not comparable."""

_SIDE, _SIGMA = 16, 1.5  # of the detail, pixels
_ENOUGH_PX = 512  # along the shorter side, of what is shrunk
# Copies in JPEG of 90 % correlate by 0.96 and more, also of drawn images that are mostly noise;
# other images of pets, nuclei and ultrasound, or discs drawn at random, by 0.85 and less, but for
# frames of one video and copies.
_MIN_CORRELATION = 0.92
_MAX_CELLS = 4_000_000  # of a table of correlations


class ImageHashes(dict[Path, str]):
    """Hashes of images by their files, as `content_hash` gives them, and their `fingerprints`."""

    def __init__(self) -> None:
        super().__init__()
        self.fingerprints: dict[Path, str] = {}

    def add(self, path: Path, image: np.ndarray, name: str) -> None:
        """Take an image `(h, w, c)`, of which nothing is computed twice."""
        if path not in self:
            self.fingerprints[path] = fingerprint(image)
            self[path] = content_hash(image, name)


def fingerprint(image: np.ndarray) -> str:
    """Detail of an image `(h, w, c)` in 256 bytes, hexadecimal, nearly that of its copies: in JPEG,
    resized, or brighter.
    """
    step = max(1, min(image.shape[:2]) // _ENOUGH_PX)
    values = detail(shrunk(thumbnail(image[::step, ::step]), _SIDE), _SIGMA).ravel()
    values = values - values.mean()
    largest = max(float(np.abs(values).max()), 1e-3)
    return np.round(values * (127 / largest)).astype(np.int8).tobytes().hex()


def shows_known(prints: Sequence[str], known: Sequence[str]) -> np.ndarray:
    """Whether each fingerprint is nearly one of those known, also turned or mirrored; bool `(n,)`.

    Raises `ValueError` for what is no fingerprint.
    """
    first, second = _vectors(prints), _vectors(known)
    result = np.zeros(len(first), bool)
    if not len(second):
        return result
    step = max(1, _MAX_CELLS // len(second))
    for start in range(0, len(first), step):
        rows = slice(start, start + step)
        near = best_orientations(first[rows], second)[0] >= _MIN_CORRELATION
        result[rows] = near.any(axis=1)
    return result


def _vectors(prints: Sequence[str]) -> np.ndarray:
    """Unit vectors `(n, 256)`; those of images of one color are 0."""
    raw = [np.frombuffer(bytes.fromhex(each), np.int8) for each in prints]
    if any(len(each) != _SIDE**2 for each in raw):
        raise ValueError(f"expected fingerprints of {_SIDE**2} bytes")
    vectors = np.array(raw, np.float32).reshape(-1, _SIDE**2)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
