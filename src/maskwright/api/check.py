"""The verb `check`: audit a data set before training."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from maskwright.data import open_dataset, write_yaml
from maskwright.data.pipeline.augmentation import Augmentation

if TYPE_CHECKING:
    from maskwright.data.audit.audit import AuditReport


def check(
    data: str | Path,
    *,
    sheet: str | Path | None = None,
    write: bool = False,
    group_by: str | None = None,
    strength: str = "medium",
) -> "AuditReport":
    """Audit a data set before training.

    Args:
        sheet: PNG file for a sheet of augmented images and masks.
        group_by: Column, or pattern whose first group names the case.
    """
    from maskwright.data.audit.audit import audit
    from maskwright.data.audit.contact_sheet import contact_sheet

    dataset = open_dataset(data, group_by=group_by)
    report = replace(audit(dataset), source=str(data))  # some are drawn elsewhere
    if write:
        write_yaml(dataset, dataset.root / "data.yaml")
    if sheet is not None:
        contact_sheet(dataset, sheet, Augmentation.named(strength))
    return report
