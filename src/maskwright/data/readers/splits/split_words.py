"""Names of splits in folders, files, lists and manifests, and what they are called here."""

import re
from collections.abc import Iterable, Mapping

SPLIT_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("train", "training", "trainval", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "vali", "dev"), "val"),
    **dict.fromkeys(("eval", "evaluation"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "holdout", "heldout"), "test"),
}
"""Names of splits and what they are called here."""

SHORT_WORDS: Mapping[str, str] = {"tr": "train", "va": "val", "te": "test"}
"""Names that mean splits only where two of them occur: TR and TE are times of an MRI scan too."""

SPLIT_COLUMNS = ("split", "splits", "dataset_split", "subset", "partition", "set", "phase")
"""Names of columns of tables that hold splits, the preferred one first."""

_LONGEST_FIRST = sorted(SPLIT_WORDS, key=len, reverse=True)
_NUMBERED = re.compile(
    rf"({'|'.join(_LONGEST_FIRST)})(?:set|dataset|data|split|subset)?(?:\d{{1,4}}|(?<=test)[a-e])?"
)
_STEM = re.compile(
    rf"({'|'.join(_LONGEST_FIRST)})[a-e]?[ _\-.]?\d.*|.*\d[ _\-.]({'|'.join(_LONGEST_FIRST)})",
    re.IGNORECASE,
)


def split_of(word: str, short: bool = False) -> str | None:
    """Split that a word states, such as `Training`, `TrainDataset`, `testA` or `hold-out`.

    `None` where it states none. `short` lets `tr`, `va` and `te` count.
    """
    plain = re.sub(r"[ _\-.]", "", word.casefold())
    if match := _NUMBERED.fullmatch(plain):
        return SPLIT_WORDS[match[1]]
    return SHORT_WORDS.get(plain) if short else None


def split_column(header: Iterable[str], rows: Iterable[Mapping[str, str]]) -> str:
    """Column whose cells all name splits, as far as they hold something; `""` without one.

    The first of `SPLIT_COLUMNS`, else another that names training and a second split.
    """
    names = list(header)
    splits: dict[str, set[str | None]] = {name: set() for name in names if name}
    for row in rows:
        for name, meanings in splits.items():
            if cell := row.get(name, ""):
                meanings.add(split_of(cell, short=True))
    fits = [name for name, meanings in splits.items() if meanings and None not in meanings]
    known = [name for name in SPLIT_COLUMNS if name in fits]
    others = [name for name in fits if len(splits[name]) > 1 and "train" in splits[name]]
    return next(iter((*known, *others)), "")


def splits_of_stems(stems: Iterable[str]) -> list[str] | None:
    """Split of each file name, such as `train_1`, `testA_7` or `12_val`.

    `None` where not all names state one, or none trains, or all state the same.
    """
    matches = [_STEM.fullmatch(stem) for stem in stems]
    splits = [SPLIT_WORDS[(m[1] or m[2]).casefold()] for m in matches if m]
    if len(splits) < len(matches) or len(set(splits)) < 2 or "train" not in splits:
        return None
    return splits
