"""Unite cases whose images are copies of each other, so that no split parts them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from maskwright.data.parallel import in_threads
from maskwright.data.samples import Sample
from maskwright.data.splits.duplicates import (
    digest_of,
    groups,
    is_flat,
    near_duplicates,
    thumbnail,
)
from maskwright.errors import DataError
from maskwright.imageio import natural_key, read_image


def unite_duplicates(samples: Sequence[Sample]) -> tuple[list[Sample], list[list[str]]]:
    """Give cases whose images are the same, or nearly, one group, which no split parts.

    Reads every image once, in threads; one that cannot be read is like no other.

    Returns:
        The samples, in order, and the ids in each group of copies of different cases. The group is
        called after the first of the cases by name.
    """
    paths = list(dict.fromkeys(sample.image for sample in samples))
    prints = dict(zip(paths, in_threads(_fingerprint, paths, "Finding copies"), strict=True))
    known = [i for i, sample in enumerate(samples) if prints[sample.image] is not None]
    images = [each for i in known if (each := prints[samples[i].image]) is not None]
    thumbs = np.stack([thumb for thumb, _ in images]) if images else np.empty((0, 32, 32), "f4")
    copies = [(known[first], known[second]) for first, second in near_duplicates(thumbs)]
    first_with: dict[bytes, int] = {}
    for i, (_, digest) in zip(known, images, strict=True):
        if digest:
            copies.append((first_with.setdefault(digest, i), i))
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
