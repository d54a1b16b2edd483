"""Labels and cases of images from the names of their folders."""

from collections import Counter
from collections.abc import Sequence

from maskwright.data.readers.folders.roles import PORTION

_MAX_GROUPS = 0.75  # of the images; more folders are one for each


def labels_and_cases(
    paths: Sequence[tuple[str | None, tuple[str, ...]]],
) -> tuple[list[str | None], list[str | None]]:
    """Label and case of each sample from its split and the names of its folders.

    Folders with numbers in their names (tile_7, patient 12) are cases, others (benign, malignant)
    are labels; a single folder, one for each sample or split, or `fold_1`, says nothing.
    """
    rests = [rest for _, rest in paths]
    groups = Counter(rests)
    nothing: list[str | None] = [None] * len(rests)
    if len(groups) < 2 or len(groups) > len(rests) * _MAX_GROUPS:
        return nothing, nothing
    numbered: list[int] = []
    named: list[int] = []
    for level in range(max(len(rest) for rest in groups)):
        at_level = {(split, rest[level]) for split, rest in paths if len(rest) > level}
        names = {name for _, name in at_level}
        splits = Counter(split for split, _ in at_level)
        portions = [PORTION.fullmatch(name) for name in names]
        starts = {portion and portion["start"] for portion in portions}
        is_portion = all(portions) and len(starts) == 1  # not patient1_part1 beside patient2_part1
        if len(names) > 1 and max(splits.values()) > 1 and not is_portion:
            with_digit = sum(any(c.isdigit() for c in name) for name in names)
            (numbered if with_digit > len(names) / 2 else named).append(level)
    labels = [next((rest[n] for n in reversed(named) if n < len(rest)), None) for rest in rests]
    cases = ["/".join(r) if any(n < len(r) for n in numbered) else None for r in rests]
    return labels, cases
