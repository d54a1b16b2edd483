"""Assign samples to splits and folds, which never part a case or copies of an image.

A change here gives every data set without stated splits new ones.
"""

import hashlib
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from maskwright.data.samples import CALIBRATION, Sample, grouped
from maskwright.errors import ConfigError
from maskwright.imageio import natural_key

HELD_OUT = "held_out"  # split of the fold that a run learns nothing from


def assign_splits(
    samples: Sequence[Sample],
    contents: Mapping[str, Collection[object]],
    val_share: float,
    test_share: float,
    seed: int,
    root: Path = Path(),
    calibration_share: float = 0,
) -> list[Sample]:
    """Give every sample a split: those that are stated stay, missing ones are made.

    Samples without a split count as training samples at first. Where there is no `"val"` or no
    `"test"`, a share of the training samples becomes it; where only other splits are stated,
    nothing is made. Cases stay whole.

    Each case has a number from 0 to 1, a hash of `seed` and its own name: below `test_share` it
    tests, within `val_share` above it validates, else it trains, so that shares hold on average.
    Two rules keep every class in every split, a class being an item of `contents`, by the id of a
    sample what it holds. Of the cases of a class, that of the highest number trains, and that of
    the second highest does not test. Where they are at least three, and as many as there are
    classes, that of the lowest tests, and the lowest of the others validates, as far as the first
    rule lets them. All cases together, however few, count as such a class.

    Of the cases that would train then, the lowest and those within `calibration_share` above
    validation are for calibration, where no such split is stated; but not the two highest of a
    class, nor what lies in another split, too. Tests and validation are the same without it.

    Cases that come or go thus move no other from training to testing, unless they change how many
    classes there are, or which of these have enough cases, or are several of a class that has too
    few. A case that is a single sample is called
    after its file below `root`, where it lies there, else by its id.

    Raises:
        ConfigError: If the shares leave nothing to train on, or no case can be for calibration.
    """
    every = val_share, test_share, calibration_share
    if not (min(every) >= 0 and sum(every) < 1):
        more = f" and {calibration_share} for calibration" if calibration_share else ""
        raise ConfigError(
            f"Expected shares of validation and test from 0 to below 1 that leave something to "
            f"train on, received {val_share} and {test_share}{more}."
        )
    samples = [replace(s, split="train") if s.split is None else s for s in samples]
    stated = {sample.split for sample in samples}
    wanted = {"test": test_share, "val": val_share}
    shares = {name: share for name, share in wanted.items() if share > 0 and name not in stated}
    calibrates = calibration_share > 0 and CALIBRATION not in stated
    cases = grouped((s for s in samples if s.split == "train"), lambda sample: sample.together)
    if not cases or not (shares or calibrates):
        return samples
    # Of copies that are one group, the highest: a copy that is added then moves none to the test.
    number = {
        case: max(_number(_name(sample, root), seed) for sample in members)
        for case, members in cases.items()
    }
    holders: dict[str, list[str]] = {}
    for case in sorted(cases, key=lambda case: (number[case], case)):
        items = {str(item) for sample in cases[case] for item in contents.get(sample.id, ())}
        for item in items:
            holders.setdefault(item, []).append(case)
    everything = sorted(cases, key=lambda case: (number[case], case))
    training_only = {everything[-1], *(held[-1] for held in holders.values())}
    fewest = max(3, len(holders))
    spread = [everything, *(held for held in holders.values() if len(held) >= fewest)]
    seconds = [held for held in holders.values() if len(held) > 1]
    seconds += [everything] if len(everything) > 2 else []
    chosen: dict[str, str] = {}
    low, last = 0.0, ["", *shares][-1]
    for split, share in shares.items():
        spared = {held[-2] for held in seconds if split != last}
        taken = training_only | spared | chosen.keys()
        left = [[case for case in held if case not in taken] for held in spread]
        inside = {c for c in left[0] if low <= number[c] < low + share}
        chosen |= dict.fromkeys(inside | {held[0] for held in left if held}, split)
        low += share
    if calibrates:
        elsewhere = {sample.together for sample in samples if sample.split != "train"}
        taken = training_only | {held[-2] for held in seconds} | elsewhere | chosen.keys()
        free = [case for case in everything if case not in taken]
        if not free:
            raise ConfigError(
                f"Expected a calibration share that some of the {len(cases)} cases can be for; all "
                f"are needed to train, validate or test: leave `calibration_share` out."
            )
        inside = {case for case in free if low <= number[case] < low + calibration_share}
        chosen |= dict.fromkeys(inside | {free[0]}, CALIBRATION)
    return [
        replace(s, split=chosen.get(s.together, "train")) if s.split == "train" else s
        for s in samples
    ]


def _name(sample: Sample, root: Path) -> str:
    """What a sample's case is called, whatever other samples there are."""
    if sample.case != sample.id or not sample.image.is_relative_to(root):
        return sample.case
    return sample.image.relative_to(root).with_suffix("").as_posix()


def _number(name: str, seed: int) -> float:
    """Hash of a name and a seed in `[0, 1)`, the same on all machines."""
    text = f"{seed} {unicodedata.normalize('NFC', name)}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest(), "big") / 2**48


def folds(
    samples: Sequence[Sample], contents: Mapping[str, Collection[object]], count: int, seed: int
) -> list[list[int]]:
    """Positions of the samples in each of `count` folds, whatever splits they have.

    Every sample is in one fold, cases are whole, and each fold holds its part of every class as
    nearly as they allow. The order of the samples does not matter. `ConfigError` if there are fewer
    than 2 folds, or fewer cases than folds.
    """
    cases = grouped(_sorted(samples), lambda sample: sample.together)
    if not 2 <= count <= len(cases):
        raise ConfigError(
            f"Expected from 2 folds up to one for each of the {len(cases)} cases, which cannot be "
            f"parted; received {count}."
        )
    sizes = [len(cases) // count + (fold < len(cases) % count) for fold in range(count)]
    parts = _stratify(list(cases.values()), contents, sizes, seed)
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
    """Hold out one fold, from 1, of training and validation samples; its others train."""
    if not 1 <= fold <= count:
        raise ConfigError(f"Expected a fold from 1 to {count}, received {fold}.")
    places = [i for i, sample in enumerate(samples) if sample.split in ("train", "val")]
    parts = folds([samples[i] for i in places], contents, count, seed)
    held_out = {places[i] for i in parts[fold - 1]}
    result = list(samples)
    for i in places:
        result[i] = replace(samples[i], split=HELD_OUT if i in held_out else "train")
    return result


def _sorted(samples: Sequence[Sample]) -> list[Sample]:
    return sorted(samples, key=lambda sample: natural_key(sample.id))


def _stratify(
    cases: Sequence[Sequence[Sample]],
    contents: Mapping[str, Collection[object]],
    sizes: Sequence[int],
    seed: int,
) -> list[int]:
    """Part of each case, by iterative stratification, so that parts hold alike of all `contents`.

    `sizes` are the cases in each part, in sum all.

    Source: Sechidis, Tsoumakas and Vlahavas, On the Stratification of Multi-Label Data, 2011,
    with cases in place of examples, and with every part that is asked for non-empty while there
    are cases enough.
    """
    rng = np.random.default_rng([seed, len(cases)])
    strata = sorted({str(item) for case in cases for s in case for item in contents.get(s.id, ())})
    column = {name: index for index, name in enumerate(strata)}
    # The last column counts the samples themselves, so that cases without content are spread too.
    amounts = np.zeros((len(cases), len(strata) + 1))
    for row, case in enumerate(cases):
        amounts[row, -1] = len(case)
        for sample in case:
            for item in contents.get(sample.id, ()):
                amounts[row, column[str(item)]] += 1
    wanted = np.outer(np.array(sizes) / len(cases), amounts.sum(axis=0))  # (parts, strata)
    order = rng.permutation(len(cases))
    result = np.full(len(cases), -1)
    while (free := order[result[order] < 0]).size:
        left = amounts[free].sum(axis=0)
        rarest = int(np.argmin(np.where(left > 0, left, np.inf)))
        # Large cases first: small ones can still even out what they leave.
        holders = free[amounts[free, rarest] > 0]
        for row in holders[np.argsort(-amounts[holders, -1], kind="stable")]:
            open_parts = wanted[:, -1] > 0
            need = np.where(open_parts, wanted[:, rarest], -np.inf)
            if not open_parts.any():
                need = wanted[:, -1]
            best = np.flatnonzero(need == need.max())
            part = int(best[np.argmax(wanted[best, -1])])
            result[row] = part
            wanted[part] -= amounts[row]
    for part, size in enumerate(sizes):
        if size and not (result == part).any():
            donor = int(np.argmax(np.bincount(result, minlength=len(sizes))))
            rows = np.flatnonzero(result == donor)
            result[rows[np.argmin(amounts[rows, -1])]] = part
    return [int(part) for part in result]
