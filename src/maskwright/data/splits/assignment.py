"""How samples are divided into splits and folds, so that no case and no copies ever part."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from maskwright.data.parallel import in_threads
from maskwright.data.samples import Sample
from maskwright.data.splits.duplicates import groups, near_duplicates, thumbnail
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import natural_key, read_image

HELD_OUT = "held_out"
"""Split of the fold that a run learns nothing from."""


def assign_splits(
    samples: Sequence[Sample],
    contents: Mapping[str, Collection[object]],
    val_share: float,
    test_share: float,
    seed: int,
) -> list[Sample]:
    """Give every sample a split: those that are stated stay, missing ones are made.

    Samples without a split count as training samples at first. Where there is no `"val"` or no
    `"test"`, a share of the training samples becomes it; where only other splits are given, nothing
    is made. Whole cases are taken, so that each split holds its share of every class
    as nearly as they allow.

    Args:
        samples: In any order; the result keeps it.
        contents: Of a sample's id, what it holds (classes, image label) and is to be spread.
        val_share: Share of the samples that becomes `"val"`; 0 for none.
        test_share: Share of the samples that becomes `"test"`; 0 for none.
        seed: Decides among equals.

    Raises:
        ConfigError: If the shares leave nothing to train on.
    """
    if not (0 <= val_share < 1 and 0 <= test_share < 1 and val_share + test_share < 1):
        raise ConfigError(
            f"Expected shares of validation and test from 0 to below 1 that leave something to "
            f"train on, received {val_share} and {test_share}."
        )
    samples = [replace(s, split="train") if s.split is None else s for s in samples]
    given = {sample.split for sample in samples}
    shares = {
        split: share
        for split, share in (("test", test_share), ("val", val_share))
        if share > 0 and split not in given
    }
    pool = [sample for sample in samples if sample.split == "train"]
    if not pool or not shares:
        return samples
    cases = _by_case(pool)
    splits = ["train", *shares]
    parts = _stratified(
        list(cases.values()), contents, _sizes(len(cases), list(shares.values())), seed
    )
    chosen = {case: splits[part] for case, part in zip(cases, parts, strict=True)}
    return [replace(s, split=chosen[s.together]) if s.split == "train" else s for s in samples]


def folds(
    samples: Sequence[Sample],
    contents: Mapping[str, Collection[object]],
    count: int,
    seed: int,
) -> list[list[int]]:
    """Positions of the samples in each of `count` folds, whatever splits they have.

    Every sample is in one fold, cases are whole, and each fold holds its part of every class as
    nearly as they allow. The order of the samples does not matter.

    Args:
        samples: To divide.
        contents: Of a sample's id, what it holds (classes, image label) and is to be spread.
        count: Folds, at least 2.
        seed: Decides among equals.

    Raises:
        ConfigError: If there are fewer cases than folds.
    """
    cases = _by_case(samples)
    if not 2 <= count <= len(cases):
        raise ConfigError(
            f"Expected from 2 folds up to one for each of the {len(cases)} cases, which cannot be "
            f"parted; received {count}."
        )
    sizes = [len(cases) // count + (fold < len(cases) % count) for fold in range(count)]
    parts = _stratified(list(cases.values()), contents, sizes, seed)
    fold_of = dict(zip(cases, parts, strict=True))
    result: list[list[int]] = [[] for _ in range(count)]
    for position, sample in enumerate(samples):
        result[fold_of[sample.together]].append(position)
    return result


def make_fold(
    samples: Sequence[Sample],
    contents: Mapping[str, Collection[object]],
    fold: int,
    count: int,
    seed: int,
) -> list[Sample]:
    """Divide training and validation samples anew: one fold is held out, the others train.

    Args:
        samples: With splits; those in neither `"train"` nor `"val"` keep theirs.
        contents: As in `folds`.
        fold: Which one is held out, from 1.
        count: Folds.
        seed: As in `folds`.

    Raises:
        ConfigError: If there is no such fold, or there are fewer cases than folds.
    """
    if not 1 <= fold <= count:
        raise ConfigError(f"Expected a fold from 1 to {count}, received {fold}.")
    places = [i for i, sample in enumerate(samples) if sample.split in ("train", "val")]
    parts = folds([samples[i] for i in places], contents, count, seed)
    held = {places[i] for i in parts[fold - 1]}
    divided = list(samples)
    for i in places:
        divided[i] = replace(samples[i], split=HELD_OUT if i in held else "train")
    return divided


def unite_duplicates(samples: Sequence[Sample]) -> tuple[list[Sample], list[list[str]]]:
    """Give cases whose images are the same, or nearly, one group, which no split parts.

    Reads every image once, in threads; one that cannot be read is like no other.

    Returns:
        The samples, in order, and the ids in each group of copies of different cases. The group is
        called after the first of the cases by name.
    """
    paths = list(dict.fromkeys(sample.image for sample in samples))
    seen = dict(zip(paths, in_threads(_look, paths, "Looking for copies"), strict=True))
    known = [i for i, sample in enumerate(samples) if seen[sample.image] is not None]
    looks = [look for i in known if (look := seen[samples[i].image]) is not None]
    thumbs = np.stack([thumb for thumb, _ in looks]) if looks else np.empty((0, 32, 32), "f4")
    copies = [(known[first], known[second]) for first, second in near_duplicates(thumbs)]
    first_with: dict[bytes, int] = {}
    for i, (_, digest) in zip(known, looks, strict=True):
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


def _look(path: Path) -> tuple[np.ndarray, bytes] | None:
    """Thumbnail and hash of an image, the hash empty where it shows nothing; `None` if broken."""
    try:
        image = read_image(path)
    except DataError:
        return None
    digest = hashlib.blake2b(repr(image.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image).data)
    # All black frames are equal, but they tell of no common origin.
    flat = bool((image == image[0, 0]).all())
    return thumbnail(image), b"" if flat else digest.digest()


def _by_case(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Samples of each case, both in the order of names."""
    cases: dict[str, list[Sample]] = {}
    for sample in sorted(samples, key=lambda s: natural_key(s.id)):
        cases.setdefault(sample.together, []).append(sample)
    return cases


def _stratified(
    cases: Sequence[Sequence[Sample]],
    contents: Mapping[str, Collection[object]],
    sizes: Sequence[int],
    seed: int,
) -> list[int]:
    """Part of each case, by iterative stratification.

    Args:
        cases: Samples of each case.
        contents: Of a sample's id, what is to be spread.
        sizes: Cases in each part, in sum all.
        seed: Decides among equals.

    Source: Sechidis, Tsoumakas and Vlahavas, On the Stratification of Multi-Label Data, 2011,
    with cases in place of examples, and with every part that is asked for non-empty while there
    are cases enough.
    """
    rng = np.random.default_rng([seed, len(cases)])
    strata = sorted({str(item) for case in cases for s in case for item in contents.get(s.id, ())})
    column = {name: index for index, name in enumerate(strata)}
    # The last column counts the samples themselves, so that cases without content are spread too.
    held = np.zeros((len(cases), len(strata) + 1))
    for row, case in enumerate(cases):
        held[row, -1] = len(case)
        for sample in case:
            for item in contents.get(sample.id, ()):
                held[row, column[str(item)]] += 1
    wanted = np.outer(np.array(sizes) / len(cases), held.sum(axis=0))  # (parts, strata)
    order = rng.permutation(len(cases))
    result = np.full(len(cases), -1)
    while (free := order[result[order] < 0]).size:
        left = held[free].sum(axis=0)
        rarest = int(np.argmin(np.where(left > 0, left, np.inf)))
        # Large cases first: small ones can still even out what they leave.
        holders = free[held[free, rarest] > 0]
        for row in holders[np.argsort(-held[holders, -1], kind="stable")]:
            open_parts = wanted[:, -1] > 0
            need = np.where(open_parts, wanted[:, rarest], -np.inf)
            if not open_parts.any():
                need = wanted[:, -1]
            best = np.flatnonzero(need == need.max())
            part = int(best[np.argmax(wanted[best, -1])])
            result[row] = part
            wanted[part] -= held[row]
    for part, size in enumerate(sizes):
        if size and not (result == part).any():
            donor = int(np.argmax(np.bincount(result, minlength=len(sizes))))
            rows = np.flatnonzero(result == donor)
            result[rows[np.argmin(held[rows, -1])]] = part
    return [int(part) for part in result]


def _sizes(num_cases: int, shares: Sequence[float]) -> list[int]:
    """Cases in train and in each share, all at least one while there are enough; train first."""
    taken: list[int] = []
    left = num_cases - 1  # training keeps one
    for share in shares:
        taken.append(min(left, max(1, round(share * num_cases))))
        left -= taken[-1]
    return [num_cases - sum(taken), *taken]
