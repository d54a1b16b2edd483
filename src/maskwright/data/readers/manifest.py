"""Data sets as tables: a CSV manifest that can express anything, and groups of samples."""

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from maskwright.data.readers.pair_matching import SPLIT_WORDS
from maskwright.data.samples import SEPARATOR, Sample, unique_ids
from maskwright.errors import DataError
from maskwright.imageio import atomic_write

COLUMNS = ("image", "mask", "split", "case", "label", "weight")
"""Columns of a manifest; the first two must be there, others than these can serve for grouping."""

REGION_COLUMNS = ("region", "cell", "object", "instance", "id")
"""Names of the column that numbers the regions of an image in a table of regions."""

_INSTANCES = "instances"

_SYNONYMS = {
    "image_path": "image",
    "images": "image",
    "mask_path": "mask",
    "masks": "mask",
    "file": "image",
    "filename": "image",
    "file_name": "image",
    "group_id": "group",
    "patient_id": "patient",
}
_GROUPS = ("group", "case", "patient", "subject", "scene", "video")


@dataclass
class Table:
    """Samples of a manifest.

    Args:
        samples: Those whose files are there.
        left_out: Files that are missing or without a partner, with the reason.
        columns: All columns by name, each by the id of the sample.
        case_column: Name of the column that holds the cases; `""` where there is none.
    """

    samples: list[Sample] = field(default_factory=list)
    left_out: list[tuple[Path, str]] = field(default_factory=list)
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    case_column: str = ""


def read_manifest(path: Path) -> Table:
    """Samples of a CSV file with the header `image,mask,split,case,label,weight`.

    Only `image` and `mask` need to be there. Paths count from the folder of the file; several masks
    of an image are separated by `;`, and so are their labels where each has its own. Empty cells
    mean that nothing is stated. Without a column `case`, the first of `group`, `patient`,
    `subject`, `scene` and `video` holds the cases; `instances` may name a file of object numbers.

    Raises:
        DataError: If the header lacks a column, or a row holds what it should not.
    """
    header, rows = _rows(path)
    if not {"image", "mask"} <= set(header):
        raise DataError(
            f"{path} has the columns {', '.join(header) or '(none)'}; expected a first line with "
            f"at least `image,mask`, and of {', '.join(COLUMNS[2:])} what is known."
        )
    cases = next((column for column in ("case", *_GROUPS) if column in header), "")
    table = Table(case_column=cases)
    images = [path.parent / row["image"] for _, row in rows]
    ids = unique_ids([(p.parent.name, p.stem) for p in images])
    for (line, row), image, id_ in zip(rows, images, ids, strict=True):
        names = [name.strip() for name in row["mask"].split(SEPARATOR)]
        masks = tuple(path.parent / name for name in names if name)
        numbers = path.parent / row[_INSTANCES] if row.get(_INSTANCES) else None
        needed = (image, *masks) if numbers is None else (image, *masks, numbers)
        missing = [file for file in needed if not file.is_file()]
        if not row["image"] or missing:
            lost = missing[0] if row["image"] and missing else path
            table.left_out.append((lost, f"line {line} of {path.name}: there is no such file"))
            continue
        if not masks:
            table.left_out.append((image, f"line {line} of {path.name}: image without a mask"))
            continue
        split = row.get("split", "")
        sample = Sample(
            id_,
            image,
            masks,
            (row[cases] if cases else "") or id_,
            SPLIT_WORDS.get(split.casefold(), split) or None,
            row.get("label") or None,
            _weight(row.get("weight", ""), path, line),
            numbers,
        )
        if len(sample.labels) > 1 and len(sample.labels) != len(masks):
            raise DataError(
                f"Line {line} of {path} has {len(sample.labels)} labels for the {len(masks)} masks "
                f"of {row['image']}; expected one label for the image, or one for each mask, "
                f"separated by {SEPARATOR!r}."
            )
        table.samples.append(sample)
        for column, cell in row.items():
            table.columns.setdefault(column, {})[id_] = cell
    return table


def write_manifest(path: Path, samples: Iterable[Sample]) -> None:
    """Write samples so that `read_manifest` gives them back; paths relative where they can be."""
    samples = list(samples)
    numbered = any(sample.instances is not None for sample in samples)
    with atomic_write(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow((*COLUMNS, _INSTANCES) if numbered else COLUMNS)
        for sample in samples:
            masks = SEPARATOR.join(_relative(mask, path.parent) for mask in sample.masks)
            case = "" if sample.case == sample.id else sample.case
            weight = "" if sample.weight == 1 else f"{sample.weight:g}"
            image = _relative(sample.image, path.parent)
            row = [image, masks, sample.split or "", case, sample.label or "", weight]
            if numbered:
                instances = sample.instances
                row.append("" if instances is None else _relative(instances, path.parent))
            writer.writerow(row)


def read_groups(root: Path, samples: Sequence[Sample]) -> tuple[str, dict[str, dict[str, str]]]:
    """Facts on samples from `groups.csv`, `cases.csv` or `patients.csv` in `root`.

    A row is for the samples whose image has the name in its column `image`; where there is a
    column `class`, their label must be the same.

    Returns:
        Name of the column that holds the cases, `""` where there is none, and every column by the
        id of the sample.
    """
    for name in ("groups.csv", "cases.csv", "patients.csv"):
        path = root / name
        if not path.is_file():
            continue
        header, rows = _rows(path)
        if "image" not in header:
            continue
        by_name: dict[str, list[Sample]] = {}
        for sample in samples:
            for key in {sample.image.name, sample.image.stem, sample.id}:
                by_name.setdefault(key, []).append(sample)
        columns: dict[str, dict[str, str]] = {}
        for _, row in rows:
            key = row["image"].replace("\\", "/").rpartition("/")[2]
            for sample in by_name.get(key, []):
                if row.get("class", sample.label) in {sample.label, None} or not sample.label:
                    for column, cell in row.items():
                        columns.setdefault(column, {})[sample.id] = cell
        return next((column for column in _GROUPS if column in header), ""), columns
    return "", {}


def read_region_labels(path: Path, samples: Sequence[Sample]) -> dict[str, dict[int, str]]:
    """Labels of regions from a CSV file with a row for each.

    Args:
        path: Table with the columns `image` (path from its folder, or name), one of
            `REGION_COLUMNS` (value of the region in the instance mask) and `label`.
        samples: Those it tells of; rows on other images are passed over.

    Returns:
        By the id of a sample, the label of each value; `""` where the cell is empty.

    Raises:
        DataError: If a column is missing, or a row cannot be read or fits several images.
    """
    header, rows = _rows(path)
    number = next((column for column in REGION_COLUMNS if column in header), None)
    if number is None or not {"image", "label"} <= set(header):
        raise DataError(
            f"{path} has the columns {', '.join(header) or '(none)'}; expected a row for each "
            f"region with image, label, and its number as one of {', '.join(REGION_COLUMNS)}."
        )
    index: dict[str, list[Sample]] = {}
    for sample in samples:
        for key in {sample.image.name, sample.image.stem, sample.id}:
            index.setdefault(key, []).append(sample)
    by_path = {sample.image.resolve(): sample for sample in samples}
    fits: dict[str, list[Sample]] = {}
    labels: dict[str, dict[int, str]] = {}
    for line, row in rows:
        name = row["image"].replace("\\", "/")
        if name not in fits:
            whole = by_path.get((path.parent / name).resolve())
            fits[name] = [whole] if whole else index.get(name.rpartition("/")[2], [])
        if len(fits[name]) > 1:
            raise DataError(
                f"Line {line} of {path} is on {name}, which fits {fits[name][0].image} and "
                f"{fits[name][1].image}; expected a path from {path.parent} that fits one."
            )
        if not row[number].isdecimal() or int(row[number]) < 1:
            raise DataError(
                f"Line {line} of {path} has the {number} {row[number]!r}; expected the number of "
                f"the region in the instance mask, from 1 up."
            )
        for sample in fits[name]:
            mine, value = labels.setdefault(sample.id, {}), int(row[number])
            if mine.setdefault(value, row["label"]) != row["label"]:
                raise DataError(
                    f"Line {line} of {path} labels {number} {value} of {name} {row['label']!r}, "
                    f"but a line above says {mine[value]!r}; expected one label for each."
                )
    return labels


def _rows(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Names of the columns in lower case, and rows with their line numbers."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as a table in UTF-8: {error}.") from None
    lines = text.splitlines()
    first = lines[0] if lines else ""
    delimiter = next((mark for mark in (",", "\t", ";") if mark in first), ",")
    reader = csv.reader(lines, delimiter=delimiter)
    header = [_SYNONYMS.get(cell, cell) for cell in _cells(next(reader, []), lower=True)]
    rows = []
    for cells in reader:
        if not any(cells):
            continue
        if len(cells) > len(header):
            raise DataError(
                f"Line {reader.line_num} of {path} has {len(cells)} cells, expected at most "
                f"{len(header)}; put names that hold a comma in quotes."
            )
        padded = [*_cells(cells), *[""] * (len(header) - len(cells))]
        rows.append((reader.line_num, dict(zip(header, padded, strict=True))))
    return header, rows


def _cells(cells: Sequence[str], lower: bool = False) -> list[str]:
    return [cell.strip().lower() if lower else cell.strip() for cell in cells]


def _weight(cell: str, path: Path, line: int) -> float:
    if not cell:
        return 1.0
    try:
        weight = float(cell)
    except ValueError:
        weight = math.nan
    if not (weight >= 0 and math.isfinite(weight)):
        raise DataError(
            f"Line {line} of {path} has the weight {cell!r}; expected a number from 0 up."
        )
    return weight


def _relative(file: Path, folder: Path) -> str:
    try:
        return file.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return file.resolve().as_posix()
