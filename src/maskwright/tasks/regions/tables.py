"""Tables of the decisions on all cases of a folder: `cases.csv` and `regions.csv`."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.imageio import atomic_write
from maskwright.inference.folder_plan import FolderResult
from maskwright.inference.manifest import Record
from maskwright.inference.output_paths import Failure
from maskwright.tasks.regions.extraction.table import region_row, write_rows
from maskwright.tasks.regions.pipeline import CaseResult

COLUMNS = ("id", "images", "probability", "decision", "regions", "deciding", "weight")
"""Columns of `cases.csv`."""
REGION_COLUMNS = ("decided_on", "weight", "probability")
"""Columns of `regions.csv` after the measures."""


@dataclass(frozen=True)
class CasesResult(FolderResult):
    """What was decided.

    Args:
        written: Masks of images that were decided on, also where they are given.
        failed: Images that were not.
        skipped: Masks of images that an earlier run had decided on.
        cases: Rows of `cases.csv`, by column.
    """

    cases: tuple[dict[str, Any], ...] = ()

    def summary(self) -> str:
        """What was decided, in a sentence or two."""
        empty = sum(case["probability"] == "" for case in self.cases)
        text = f"Decided on {len(self.cases) - empty}."
        if empty:
            text += f" No region was found in {empty}: nothing is decided there."
        if self.skipped:
            text += f" Skipped {len(self.skipped)} images that are done."
        return text

    def output(self, folder: Path) -> Path:
        """Where to look first."""
        return folder / "cases.csv"


def case_record(results: Sequence[CaseResult]) -> Record:
    """What the tables need of the decisions on one item."""
    return {
        "cases": [_case_row(result) for result in results],
        "regions": [row for result in results for row in _region_rows(result)],
    }


def write_tables(
    out: Path, skipped: tuple[Failure, ...], result: FolderResult, records: Sequence[Record]
) -> CasesResult:
    """Write the tables over all images from their records, which are in the order of the images.

    Args:
        out: Folder of the tables.
        skipped: Images that the data set could not read.
        result: What became of the others.
        records: From `case_record`.
    """
    cases = [row for record in records for row in record["cases"]]
    with (
        atomic_write(out / "cases.csv") as beside,
        beside.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(cases)
    regions = [row for record in records for row in record["regions"]]
    write_rows(regions, out / "regions.csv", REGION_COLUMNS)
    return CasesResult(result.written, (*skipped, *result.failed), result.skipped, tuple(cases))


def _case_row(result: CaseResult) -> dict[str, Any]:
    deciding, weight, probability = result.deciding, "", ""
    if deciding is not None and result.weights is not None:
        weight = f"{float(result.weights.max()):.4f}"
    if result.probability is not None:
        probability = f"{result.probability:.6f}"
    values = (
        result.id,
        ";".join(result.images),
        probability,
        result.decision or "",
        len(result.regions),
        "" if deciding is None else deciding.name,
        weight,
    )
    return dict(zip(COLUMNS, values, strict=True))


def _region_rows(result: CaseResult) -> list[dict[str, Any]]:
    if result.weights is None or result.region_probabilities is None:
        return []
    return [
        region_row(region)
        | {"decided_on": result.id, "weight": f"{weight:.4f}", "probability": f"{probability:.6f}"}
        for region, weight, probability in zip(
            result.regions, result.weights, result.region_probabilities, strict=True
        )
    ]
