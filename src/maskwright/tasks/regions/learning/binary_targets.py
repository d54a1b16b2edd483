"""Which label is positive: from the labels of regions to targets 0 and 1."""

import re
from collections.abc import Sequence
from pathlib import Path

from maskwright.errors import ConfigError, DataError

OTHER = "other"
"""Name of the negative class where it stands for several labels."""

_MAX_LISTED = 20  # labels that a message names
_POSITIVE = frozenset(
    {"malignant", "positive", "pos", "yes", "true", "1", "present", "damaged", "damage", "abnormal"}
    | {"disease", "diseased", "pathological", "ill", "sick", "lesion", "tumour", "tumor", "cancer"}
    | {"cancerous", "carcinoma", "melanoma", "infected", "defect", "defective", "broken"}
)
_NOT = frozenset({"no", "non", "not", "without", "un"})


def binary_targets(
    root: Path,
    labels: Sequence[str],
    positive: str | None,
    classes: Sequence[str] | None,
) -> tuple[tuple[str, str], dict[str, int | None], list[str]]:
    """Names of both classes, the target of each label, and sentences on what was inferred.

    The positive label is inferred if `None`; `classes` are the labels that are used, `None` for
    all.

    Raises:
        ConfigError: If there are more than two labels and nothing says which are used.
        DataError: If all labels are the same.
    """
    if len(labels) < 2:
        raise DataError(
            f"All regions in {root} have the label {_listed(labels)}; expected two "
            f"different labels."
        )
    unknown = [name for name in classes or () if name not in labels]
    if unknown or (classes is not None and len(set(classes)) < 2):
        raise ConfigError(
            f"Expected at least two labels of {_listed(labels)}; received {_listed(classes or ())}."
        )
    used = [label for label in labels if classes is None or label in classes]
    if positive is not None and positive not in used:
        raise ConfigError(
            f"Expected the positive label to be one of {_listed(used)}; received {positive}."
        )
    if positive is None and len(used) > 2:
        raise ConfigError(
            f"Regions have {len(used)} labels, {_listed(used)}; expected two: name the "
            f"positive one (positive={used[-1]}, others are negative), or the two to use "
            f"(classes={used[0]},{used[-1]}, others are skipped)."
        )
    notes = []
    if positive is None:
        positive, why = _positive(used)
        notes.append(f"{positive!r} is the positive class, {why}.")
    others = [label for label in used if label != positive]
    if len(others) > 1:
        notes.append(f"The labels {_listed(others)} are the negative class.")
    skipped = [label for label in labels if label not in used]
    if skipped:
        notes.append(f"Regions with the labels {_listed(skipped)} are skipped.")
    targets: dict[str, int | None] = {label: int(label == positive) for label in used}
    targets |= dict.fromkeys(skipped)
    negative = others[0] if len(others) == 1 else OTHER
    return (negative, positive), targets, notes


def _positive(labels: Sequence[str]) -> tuple[str, str]:
    """The positive label of two, and why."""

    def is_positive(label: str) -> bool:
        words = set(re.split(r"[\W_]+", label.casefold()))
        return bool(words & _POSITIVE) and not words & _NOT

    named = [label for label in labels if is_positive(label)]
    if len(named) == 1:
        return named[0], "by its name"
    return max(labels), "as the last in alphabetical order; set `positive` for the other"


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _MAX_LISTED} more" if len(labels) > _MAX_LISTED else ""
    return ", ".join(labels[:_MAX_LISTED]) + more or "none"
