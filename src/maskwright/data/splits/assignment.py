"""Assign samples to splits and folds, which never part a case or copies of an image."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from maskwright.data.samples import Sample
from maskwright.data.splits.stratification import stratify
from maskwright.errors import ConfigError
from maskwright.imageio import natural_key

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
    `"test"`, a share of the training samples becomes it; where only other splits are stated,
    nothing is made. Whole cases are taken, so that each split holds its share of every class as
    nearly as they allow.

    Args:
        contents: Of a sample's id, what it holds (classes, image label) and is to be spread.
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
    stated = {sample.split for sample in samples}
    wanted = {"test": test_share, "val": val_share}
    shares = {name: share for name, share in wanted.items() if share > 0 and name not in stated}
    pool = [sample for sample in samples if sample.split == "train"]
    if not pool or not shares:
        return samples
    cases = _by_case(pool)
    splits = ["train", *shares]
    sizes = _sizes(len(cases), list(shares.values()))
    parts = stratify(list(cases.values()), contents, sizes, seed)
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

    Raises:
        ConfigError: If there are fewer than 2 folds, or fewer cases than folds.
    """
    cases = _by_case(samples)
    if not 2 <= count <= len(cases):
        raise ConfigError(
            f"Expected from 2 folds up to one for each of the {len(cases)} cases, which cannot be "
            f"parted; received {count}."
        )
    sizes = [len(cases) // count + (fold < len(cases) % count) for fold in range(count)]
    parts = stratify(list(cases.values()), contents, sizes, seed)
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

    `fold` counts from 1. Samples in other splits keep theirs.

    Raises:
        ConfigError: If there is no such fold, or there are fewer cases than folds.
    """
    if not 1 <= fold <= count:
        raise ConfigError(f"Expected a fold from 1 to {count}, received {fold}.")
    places = [i for i, sample in enumerate(samples) if sample.split in ("train", "val")]
    parts = folds([samples[i] for i in places], contents, count, seed)
    held_out = {places[i] for i in parts[fold - 1]}
    result = list(samples)
    for i in places:
        result[i] = replace(samples[i], split=HELD_OUT if i in held_out else "train")
    return result


def _by_case(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Samples of each case, both in the order of names."""
    cases: dict[str, list[Sample]] = {}
    for sample in sorted(samples, key=lambda s: natural_key(s.id)):
        cases.setdefault(sample.together, []).append(sample)
    return cases


def _sizes(num_cases: int, shares: Sequence[float]) -> list[int]:
    """Cases in train and in each share, all at least one while there are enough; train first."""
    taken: list[int] = []
    left = num_cases - 1  # training keeps one
    for share in shares:
        taken.append(min(left, max(1, round(share * num_cases))))
        left -= taken[-1]
    return [num_cases - sum(taken), *taken]
