"""CSV tables on samples and their regions: cases by groups.csv, labels of regions."""

import csv
from collections.abc import Sequence
from pathlib import Path

from maskwright.data.samples import Sample
from maskwright.errors import DataError

REGION_COLUMNS = ("region", "cell", "object", "instance", "id")

GROUP_COLUMNS = ("group", "case", "patient", "subject", "scene", "video")
"""Names of the column that holds the cases, the preferred one first."""

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


def read_rows(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Names of the columns in lower case, and rows with their line numbers."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as a table in UTF-8: {error}.") from None
    lines = text.splitlines()
    first = lines[0] if lines else ""
    delimiter = next((mark for mark in (",", "\t", ";") if mark in first), ",")
    reader = csv.reader(lines, delimiter=delimiter)
    names = [cell.strip().lower() for cell in next(reader, [])]
    header = [_SYNONYMS.get(name, name) for name in names]
    rows = []
    for cells in reader:
        if not any(cells):
            continue
        if len(cells) > len(header):
            raise DataError(
                f"Line {reader.line_num} of {path} has {len(cells)} cells, expected at most "
                f"{len(header)}; put names that hold a comma in quotes."
            )
        row = dict.fromkeys(header, "")
        row |= {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
        rows.append((reader.line_num, row))
    return header, rows


def _samples_by_name(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Samples by their ids and by the names of their images, with and without the ending."""
    by_name: dict[str, list[Sample]] = {}
    for sample in samples:
        for key in {sample.image.name, sample.image.stem, sample.id}:
            by_name.setdefault(key, []).append(sample)
    return by_name


def read_groups(root: Path, samples: Sequence[Sample]) -> tuple[str, dict[str, dict[str, str]]]:
    """Facts on samples from `groups.csv`, `cases.csv` or `patients.csv` in `root`.

    A row is for the samples whose image has the name in its column `image`; where there is a
    column `class`, their label must be the same.

    Returns:
        Name of the column of cases, or `""`, and every column by the id of the sample.
    """
    for name in ("groups.csv", "cases.csv", "patients.csv"):
        path = root / name
        header, rows = read_rows(path) if path.is_file() else ([], [])
        if "image" not in header:
            continue
        by_name = _samples_by_name(samples)
        columns: dict[str, dict[str, str]] = {}
        for _, row in rows:
            key = row["image"].replace("\\", "/").rpartition("/")[2]
            for sample in by_name.get(key, []):
                if row.get("class", sample.label) in {sample.label, None} or not sample.label:
                    for column, cell in row.items():
                        columns.setdefault(column, {})[sample.id] = cell
        return next((column for column in GROUP_COLUMNS if column in header), ""), columns
    return "", {}


def read_region_labels(path: Path, samples: Sequence[Sample]) -> dict[str, dict[int, str]]:
    """Labels of regions from a CSV file with a row for each.

    Args:
        path: Table with the columns `image` (path from its folder, or name), one of
            `REGION_COLUMNS` (value of the region in the instance mask) and `label`.
        samples: Rows on other images are ignored.

    Returns:
        By the id of a sample, the label of each value; `""` where the cell is empty.

    Raises:
        DataError: If a column is missing, or a row cannot be read or fits several images.
    """
    header, rows = read_rows(path)
    number = next((column for column in REGION_COLUMNS if column in header), None)
    if number is None or not {"image", "label"} <= set(header):
        raise DataError(
            f"{path} has the columns {', '.join(header) or '(none)'}; expected a row for each "
            f"region with image, label, and its number as one of {', '.join(REGION_COLUMNS)}."
        )
    by_name = _samples_by_name(samples)
    by_path = {sample.image.resolve(): sample for sample in samples}
    fits: dict[str, list[Sample]] = {}
    labels: dict[str, dict[int, str]] = {}
    for line, row in rows:
        name = row["image"].replace("\\", "/")
        if name not in fits:
            whole = by_path.get((path.parent / name).resolve())
            fits[name] = [whole] if whole else by_name.get(name.rpartition("/")[2], [])
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
            of_sample, value = labels.setdefault(sample.id, {}), int(row[number])
            if of_sample.setdefault(value, row["label"]) != row["label"]:
                raise DataError(
                    f"Line {line} of {path} labels {number} {value} of {name} {row['label']!r}, "
                    f"but a line above states {of_sample[value]!r}; expected one label for each."
                )
    return labels
