"""Names of splits in folders, files, lists and manifests, and what they are called here."""

import re
from collections.abc import Iterable, Mapping, Sequence

from maskwright.data.samples import CALIBRATION

SPLIT_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("train", "training", "trainval", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "vali", "dev"), "val"),
    **dict.fromkeys(("eval", "evaluation"), "val"),
    **dict.fromkeys(("calibration", "calib"), CALIBRATION),
    **dict.fromkeys(("test", "testing", "tst", "holdout", "heldout"), "test"),
}
"""Names of splits and what they are called here."""

SHORT_WORDS: Mapping[str, str] = {"tr": "train", "va": "val", "te": "test", "cal": CALIBRATION}
"""Names that mean splits only as `short_words_count` tells: TR and TE are times of an MRI scan."""

SPLIT_COLUMNS = (
    *("split", "splits", "dataset_split", "data_split"),
    *("subset", "partition", "set", "phase"),
)
"""Names of columns of tables that hold splits, the preferred one first."""

FOLD_COLUMNS = ("fold", "folds", "kfold", "cv_fold")
"""Names of columns of tables that number the parts of a cross-validation."""

_BOOLEANS = {**dict.fromkeys(("1", "true", "yes", "t", "y", "1.0"), True)}
_BOOLEANS |= dict.fromkeys(("0", "false", "no", "f", "n", "0.0"), False)

_LONGEST_FIRST = sorted(SPLIT_WORDS, key=len, reverse=True)
_NUMBERED = re.compile(
    rf"({'|'.join(_LONGEST_FIRST)})(?:set|dataset|data|split|subset)?(?:\d{{1,4}}|(?<=test)[a-e])?"
)
_AROUND = "lists?|ids?|files?|images?|set|dataset|data|splits?|subset|names?"
_IN_NAME = re.compile(rf"(?<![a-z])({'|'.join(_LONGEST_FIRST)})(?:{_AROUND})?(?![a-z])")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ASKED = re.compile(
    r"i[sn][_\- ]?(train|training|val|validation|calibration|test|testing)"
    r"(?:[_\- ]?(?:image|set|split|data))?|train"
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


def short_words_count(words: Iterable[str]) -> bool:
    """Whether `SHORT_WORDS` among words mean splits: two of them, or `cal` beside training."""
    names = {word.casefold() for word in words}
    trains = any(split_of(name) == "train" for name in names)
    return len(names & SHORT_WORDS.keys()) > 1 or ("cal" in names and trains)


def split_column(header: Iterable[str], rows: Iterable[Mapping[str, str]]) -> str:
    """Column whose cells all name splits, as far as they hold something; `""` without one.

    The first of `SPLIT_COLUMNS`, in which other words may stand beside training and a second split,
    else another that names training and a second split.
    """
    splits: dict[str, set[str | None]] = {name: set() for name in header if name}
    for row in rows:
        for name, meanings in splits.items():
            if cell := row.get(name, ""):
                meanings.add(split_of(cell, short=True))
    several = [
        name for name, those in splits.items() if "train" in those and len(those - {None}) > 1
    ]
    fits = [name for name, meanings in splits.items() if meanings and None not in meanings]
    known = [name for name in SPLIT_COLUMNS if name in fits or name in several]
    others = [name for name in several if name in fits]
    return next(iter((*known, *others)), "")


def column_splits(
    header: Sequence[str], rows: Sequence[Mapping[str, str]], own: str = ""
) -> tuple[str, list[str | None]]:
    """Column that holds splits, `""` without one, and the split of each row.

    Columns such as `is_train` hold whether a row is in a split: what is not in the training split
    is tested on, and what is in no other is trained on. Cells of the column `own` count as written.
    """
    if own and own in header:
        return own, [row[own] for row in rows]
    if column := split_column(header, rows):
        return column, [split_of(row.get(column, ""), short=True) for row in rows]
    asked = {name: split for name in header if (split := _asked_split(name))}
    yes = {name: [_BOOLEANS.get(row.get(name, "").casefold()) for row in rows] for name in asked}
    asked = {name: split for name, split in asked.items() if len({*yes[name]} - {None}) == 2}
    if not asked:
        return "", [None] * len(rows)
    other = ("test" if "train" in asked.values() else "train") if len(asked) == 1 else None
    splits: list[str | None] = []
    for n in range(len(rows)):
        answers = {name: yes[name][n] for name in asked}
        stated = [split for name, split in asked.items() if answers[name]]
        splits.append(stated[0] if stated else None if None in answers.values() else other)
    return next(iter(asked)), splits


def _asked_split(column: str) -> str | None:
    """Split that a column such as `is_train` or `in_test_set` asks for; a mere `test` is none."""
    match = _ASKED.fullmatch(column.casefold())
    return SPLIT_WORDS[match[1] or "train"] if match else None


def words_on_splits(stem: str) -> list[tuple[str, str]]:
    """Words for splits in the name of a file, each with the name without it.

    `kvasir-train1` gives `("train", "kvasir-*1")`.
    """
    name = _CAMEL.sub("_", stem).casefold()
    return [(m[1], f"{name[: m.start()]}*{name[m.end() :]}") for m in _IN_NAME.finditer(name)]


def splits_of_stems(stems: Iterable[str]) -> list[str] | None:
    """Split of each file name, such as `train_1`, `testA_7` or `12_val`.

    `None` where not all names state one, or none trains, or all state the same.
    """
    matches = [_STEM.fullmatch(stem) for stem in stems]
    splits = [SPLIT_WORDS[(m[1] or m[2]).casefold()] for m in matches if m]
    if len(splits) < len(matches) or len(set(splits)) < 2 or "train" not in splits:
        return None
    return splits
