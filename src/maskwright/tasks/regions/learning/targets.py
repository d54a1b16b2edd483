"""The two classes of a decision and its unit, as settings say or as the labels suggest."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from maskwright.data import DataSet
from maskwright.errors import ConfigError, DataError
from maskwright.types import Unit

LabelSource = Literal["image", "region", "class"]
OTHER = "other"
"""Name of the negative class where it stands for several labels."""

_CASES = frozenset({"case", "patient", "subject"})
_MAX_LISTED = 20  # labels that a message names
_POSITIVE = frozenset(
    {"malignant", "positive", "pos", "yes", "true", "1", "present", "damaged", "damage", "abnormal"}
    | {"disease", "diseased", "pathological", "ill", "sick", "lesion", "tumour", "tumor", "cancer"}
    | {"cancerous", "carcinoma", "melanoma", "infected", "defect", "defective", "broken"}
)
_NEGATIVE = frozenset(
    {"benign", "negative", "neg", "no", "false", "0", "absent", "undamaged", "intact", "normal"}
    | {"healthy", "well", "clean", "control", "background", "other", "none", "uninfected"}
)
_NOT = frozenset({"no", "non", "not", "without", "un"})


def binary_targets(
    root: Path, labels: Sequence[str], positive: str | None, classes: Sequence[str] | None
) -> tuple[tuple[str, str], dict[str, int | None], list[str]]:
    """Names of both classes, the target of each label, and sentences on what was inferred.

    The positive label is inferred if `None`; `classes` are the labels that are used, `None` for
    all. `ConfigError` if nothing says which of several labels are used, or which is positive.
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
        positive = _positive(used)
        notes.append(f"{positive!r} is the positive class, by its name.")
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


def decision_unit(
    dataset: DataSet, source: LabelSource, unit: Unit | None, targets: Mapping[str, int | None]
) -> tuple[Unit, str]:
    """Unit of a decision, and a sentence on it where it was inferred, without a `unit` that is set.

    Regions where they have labels, cases where a column of the data names them and each has one
    class, else images.

    `ConfigError` or `DataError` if labels or cases do not allow the unit.
    """
    if source != "image":
        if unit in {None, "region"}:
            return "region", "" if unit else "Each region is decided on, as it has a label."
        raise ConfigError(
            f"Labels are of regions, so each {unit} may have several; expected the unit region, or "
            f"a label for each {unit}."
        )
    if unit in {"region", "image"}:
        return unit, ""
    if unit == "case" and not dataset.case_from:
        raise ConfigError(
            f"No column or pattern groups the images of {dataset.root} into cases; expected a "
            f"column case in a manifest, or `group_by`."
        )
    by_image = "All regions of an image are decided on together."
    if unit is None and dataset.case_from not in _CASES:
        return "image", by_image
    try:
        _require_one_target(dataset, targets)
    except DataError as error:
        if unit == "case":
            raise
        return "image", f"{by_image} {error}"
    return "case", "" if unit else "All regions of a case are decided on together."


def _positive(labels: Sequence[str]) -> str:
    """The positive one of two labels; `ConfigError` where names leave doubt, as `good`, `bad`."""
    words = {label: set(re.split(r"[\W_]+", label.casefold())) for label in labels}
    positive = [name for name in labels if words[name] & _POSITIVE and not words[name] & _NOT]
    negative = [name for name in labels if words[name] & (_NEGATIVE | _NOT)]
    if len(positive) != 1 or negative != [name for name in labels if name not in positive]:
        first, second = labels
        raise ConfigError(
            f"Regions have the labels {first} and {second}, and their names do not say which is "
            f"the positive one; state it with positive={first} or positive={second}."
        )
    return positive[0]


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _MAX_LISTED} more" if len(labels) > _MAX_LISTED else ""
    return ", ".join(labels[:_MAX_LISTED]) + more or "none"


def _require_one_target(dataset: DataSet, targets: Mapping[str, int | None]) -> None:
    """Raise `DataError` for a case whose images have both targets."""
    labels: dict[str, Counter[str]] = {}
    for sample in dataset.samples:
        if sample.label and targets.get(sample.label) is not None:
            labels.setdefault(sample.case, Counter())[sample.label] += 1
    for case, counts in labels.items():
        if len({targets[label] for label in counts}) > 1:
            counted = " and ".join(f"{label} ({counts[label]} images)" for label in sorted(counts))
            raise DataError(
                f"The case {case!r} has images of the labels {counted}; expected one for a case "
                f"that is decided on as a whole."
            )
