"""What one decision is made on: a region, an image or a case."""

from collections import Counter
from collections.abc import Mapping

from maskwright.data.dataset import DataSet
from maskwright.errors import ConfigError, DataError
from maskwright.tasks.regions.learning.labeling import LabelSource
from maskwright.types import Unit

_CASES = frozenset({"case", "patient", "subject"})


def decision_unit(
    dataset: DataSet, source: LabelSource, unit: Unit | None, targets: Mapping[str, int | None]
) -> tuple[Unit, str]:
    """Unit of a decision, and a sentence on it where it was inferred.

    Args:
        dataset: Data set with labels.
        source: What labels are given for.
        unit: As set; `None` takes regions where they have labels, cases where a column of the data
            names them and each has one class, else images.
        targets: Target of each label.

    Raises:
        ConfigError: If labels or cases do not allow the unit.
        DataError: If a case has images of both classes.
    """
    if source != "image":
        if unit in {None, "region"}:
            return (
                "region",
                "" if unit else "Each region is decided on, as it has a label.",
            )
        raise ConfigError(
            f"Labels are of regions, so each {unit} may have several; expected the unit region, or "
            f"a label for each {unit}."
        )
    if unit in {"region", "image"}:
        return unit, ""
    if unit == "case":
        if not dataset.case_from:
            raise ConfigError(
                f"No column or pattern groups the images of {dataset.root} into cases; expected a "
                f"column case in a manifest, or `group_by`."
            )
        _require_one_target(dataset, targets)
        return "case", ""
    if dataset.case_from not in _CASES:
        return "image", "All regions of an image are decided on together."
    try:
        _require_one_target(dataset, targets)
    except DataError as error:
        return "image", f"All regions of an image are decided on together. {error}"
    return "case", "All regions of a case are decided on together."


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
