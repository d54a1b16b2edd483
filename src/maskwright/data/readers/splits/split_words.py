"""Names of splits in folders, files, lists and manifests, and what they are called here."""

import re
from collections.abc import Iterable, Mapping

SPLIT_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("train", "training", "trainval", "trainset", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "vali", "valset", "dev", "devset"), "val"),
    **dict.fromkeys(("eval", "evaluation"), "val"),
    **dict.fromkeys(("test", "testing", "testset", "tst", "holdout", "heldout"), "test"),
}
"""Names of splits and what they are called here."""

SHORT_WORDS: Mapping[str, str] = {"tr": "train", "va": "val", "te": "test"}
"""Names that mean splits only where two of them occur: TR and TE are times of an MRI scan too."""

_LONGEST_FIRST = sorted(SPLIT_WORDS, key=len, reverse=True)
_NUMBERED = re.compile(rf"({'|'.join(_LONGEST_FIRST)})(?:\d{{1,4}}|(?<=test)[a-e])?")
_STEM = re.compile(
    rf"({'|'.join(_LONGEST_FIRST)})[a-e]?[ _\-.]?\d.*|.*\d[ _\-.]({'|'.join(_LONGEST_FIRST)})",
    re.IGNORECASE,
)


def split_of(word: str, short: bool = False) -> str | None:
    """Split that a word states, such as `Training`, `train2017`, `testA` or `hold-out`, or `None`.

    `short` lets `tr`, `va` and `te` count.
    """
    plain = re.sub(r"[ _\-.]", "", word.casefold())
    if match := _NUMBERED.fullmatch(plain):
        return SPLIT_WORDS[match[1]]
    return SHORT_WORDS.get(plain) if short else None


def splits_of_stems(stems: Iterable[str]) -> list[str] | None:
    """Split of each file name, such as `train_1`, `testA_7` or `12_val`.

    `None` where not all names state one, or none trains, or all state the same.
    """
    matches = [_STEM.fullmatch(stem) for stem in stems]
    splits = [SPLIT_WORDS[(m[1] or m[2]).casefold()] for m in matches if m]
    if len(splits) < len(matches) or len(set(splits)) < 2 or "train" not in splits:
        return None
    return splits
