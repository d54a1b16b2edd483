"""One image with its masks, and how samples are divided into splits."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from maskwright.errors import ConfigError
from maskwright.imageio import natural_key


@dataclass(frozen=True)
class Sample:
    """One image and what is known about it.

    Args:
        id: Name of the sample, unique in its data set and usable as a file name.
        image: File of the image.
        masks: Files of its mask: one, or one for each object; empty where there is none.
        case: Patient, scene or video; samples of one case never part between splits.
        split: `"train"`, `"val"`, `"test"`, another name, or `None` where not yet divided.
        label: What the whole image is, for classification, or `None`.
        weight: How much the sample counts in training.
    """

    id: str
    image: Path
    masks: tuple[Path, ...]
    case: str
    split: str | None = None
    label: str | None = None
    weight: float = 1.0


def unique_ids(paths: Sequence[Sequence[str]]) -> list[str]:
    """Names of samples: the last part of each path, with as many parts before it as tell all apart.

    Where even whole paths are equal, a number follows.
    """
    for depth in range(1, max((len(path) for path in paths), default=1) + 1):
        ids = ["-".join(part for part in path[-depth:] if part) for path in paths]
        if len({id_.casefold() for id_ in ids}) == len(ids):
            return ids
    counts: Counter[str] = Counter()
    unique = []
    for id_ in ids:
        counts[id_.casefold()] += 1
        count = counts[id_.casefold()]
        unique.append(id_ if count == 1 else f"{id_}-{count}")
    return unique


def carve(
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
    cases: dict[str, list[Sample]] = {}
    for sample in sorted(pool, key=lambda s: natural_key(s.id)):
        cases.setdefault(sample.case, []).append(sample)
    split_of = _stratified(list(cases.values()), contents, shares, seed)
    chosen = dict(zip(cases, split_of, strict=True))
    return [replace(s, split=chosen[s.case]) if s.split == "train" else s for s in samples]


def _stratified(
    cases: Sequence[Sequence[Sample]],
    contents: Mapping[str, Collection[object]],
    shares: Mapping[str, float],
    seed: int,
) -> list[str]:
    """Split of each case, by iterative stratification.

    Source: Sechidis, Tsoumakas and Vlahavas, On the Stratification of Multi-Label Data, 2011,
    with cases in place of examples, and with every split that is asked for non-empty while there
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
    splits = ["train", *shares]
    sizes = _sizes(len(cases), list(shares.values()))
    wanted = np.outer(np.array(sizes) / len(cases), held.sum(axis=0))  # (splits, strata)
    order = rng.permutation(len(cases))
    result = np.full(len(cases), -1)
    while (free := order[result[order] < 0]).size:
        left = held[free].sum(axis=0)
        rarest = int(np.argmin(np.where(left > 0, left, np.inf)))
        # Large cases first: small ones can still even out what they leave.
        holders = free[held[free, rarest] > 0]
        for row in holders[np.argsort(-held[holders, -1], kind="stable")]:
            open_splits = wanted[:, -1] > 0
            need = np.where(open_splits, wanted[:, rarest], -np.inf)
            if not open_splits.any():
                need = wanted[:, -1]
            best = np.flatnonzero(need == need.max())
            split = int(best[np.argmax(wanted[best, -1])])
            result[row] = split
            wanted[split] -= held[row]
    for split, size in enumerate(sizes):
        if size and not (result == split).any():
            donor = int(np.argmax(np.bincount(result, minlength=len(splits))))
            rows = np.flatnonzero(result == donor)
            result[rows[np.argmin(held[rows, -1])]] = split
    return [splits[split] for split in result]


def _sizes(num_cases: int, shares: Sequence[float]) -> list[int]:
    """Cases in train and in each share, all at least one while there are enough; train first."""
    taken: list[int] = []
    left = num_cases - 1  # training keeps one
    for share in shares:
        taken.append(min(left, max(1, round(share * num_cases))))
        left -= taken[-1]
    return [num_cases - sum(taken), *taken]
