"""What lies beside images: CSV tables on samples and regions, cases, numbers of objects."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from maskwright.data.cases.case_pattern import find_cases
from maskwright.data.readers.base import Layout
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.imageio import list_images, plain_cell, whole_number

REGION_COLUMNS = ("region", "cell", "object", "instance", "id")

GROUP_COLUMNS = ("group", "case", "patient", "subject", "scene", "video")
"""Names of the column that holds the cases, the preferred one first."""

_SYNONYMS = {
    **dict.fromkeys(("image_path", "images", "file", "filename", "file_name"), "image"),
    **{"mask_path": "mask", "masks": "mask", "group_id": "group", "patient_id": "patient"},
}


def column_name(heading: str) -> str:
    """Name of a column, of several that mean the same: `patient` of `Patient_ID`."""
    name = heading.strip().lower()
    return _SYNONYMS.get(name, name)


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
    header = [column_name(cell) for cell in next(reader, [])]
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
        row |= {name: plain_cell(cell.strip()) for name, cell in zip(header, cells, strict=False)}
        rows.append((reader.line_num, row))
    return header, rows


def _samples_by_name(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Samples by their ids and by the names of their images, with and without the ending."""
    by_name: dict[str, list[Sample]] = {}
    for sample in samples:
        for key in {sample.image.name, sample.image.stem, sample.id}:
            by_name.setdefault(key, []).append(sample)
    return by_name


def _read_groups(root: Path, samples: Sequence[Sample]) -> tuple[str, dict[str, dict[str, str]]]:
    """Column of cases, or `""`, and facts by id and column, of `groups.csv` and the like in `root`.

    A row is for images of the name in `image`, whose label is that in `class`, if there is one.
    """
    for name in ("groups.csv", "cases.csv", "patients.csv"):
        path = root / name
        header, rows = read_rows(path) if path.is_file() else ([], [])
        if "image" not in header:
            continue
        by_name = _samples_by_name(samples)
        facts = {}
        for _, row in rows:
            key = row["image"].replace("\\", "/").rpartition("/")[2]
            for sample in by_name.get(key, []):
                if not sample.label or row.get("class", sample.label) == sample.label:
                    facts[sample.id] = row
        return next((column for column in GROUP_COLUMNS if column in header), ""), facts
    return "", {}


def assign_cases(
    root: Path, samples: Sequence[Sample], layout: Layout, group_by: str | None
) -> tuple[list[Sample], str]:
    """Give every sample its case and its row of a table, and say where cases come from.

    That is `""` where each sample is a case of its own.
    """
    facts = layout.facts
    if not facts:
        column, facts = _read_groups(root, samples)
        group_by = group_by or column or None
        if column:
            layout.note("cases", f"Cases are the column {column!r} of the table of groups.")
    samples = [replace(sample, columns=facts.get(sample.id, {})) for sample in samples]
    if group_by is None:
        has_cases = any(sample.case != sample.id for sample in samples)
        return samples, layout.case_from if has_cases else ""
    columns = next(iter(facts.values()), {})
    if group_by in columns:
        cases = [facts.get(sample.id, {}).get(group_by) or sample.id for sample in samples]
        return [replace(s, case=case) for s, case in zip(samples, cases, strict=True)], group_by
    alternatives = f"one of the columns {', '.join(columns)}, or " if columns else ""
    cases = find_cases(group_by, [sample.id for sample in samples], alternatives)
    return [replace(s, case=case) for s, case in zip(samples, cases, strict=True)], group_by


def add_instance_files(root: Path, samples: Sequence[Sample]) -> list[Sample]:
    """Samples with files that number their objects: of `masks/a/x.png`, `instances/a/x.png`."""
    files_of: dict[Path, dict[str, Path]] = {}

    def beside(sample: Sample) -> Path | None:
        if len(sample.masks) != 1 or not sample.masks[0].is_relative_to(root):
            return sample.instances
        folders = sample.masks[0].relative_to(root).parts[:-1]
        for level in reversed(range(len(folders))):
            folder = root.joinpath(*folders[:level], "instances", *folders[level + 1 :])
            if folder not in files_of:
                files = list_images(folder) if folder.is_dir() else []
                files_of[folder] = {file.stem: file for file in files}
            for stem in (sample.masks[0].stem, sample.image.stem):
                if stem in files_of[folder]:
                    return files_of[folder][stem]
        return None

    return [s if s.instances is not None else replace(s, instances=beside(s)) for s in samples]


def read_region_labels(path: Path, samples: Sequence[Sample]) -> dict[str, dict[int, str]]:
    """Labels of regions from a CSV file with a row for each; by the id of a sample and the value.

    The table has the columns `image` (path from its folder, or name), one of `REGION_COLUMNS`
    (value of the region in the instance mask) and `label`, which may be empty. Rows on images of no
    sample are ignored. `DataError` if a column is missing, a row cannot be read or fits several
    images.
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
            # No path holds a null character, and Python raises for one.
            whole = None if "\0" in name else by_path.get((path.parent / name).resolve())
            fits[name] = [whole] if whole else by_name.get(name.rpartition("/")[2], [])
        if len(fits[name]) > 1:
            raise DataError(
                f"Line {line} of {path} is on {name}, which fits {fits[name][0].image} and "
                f"{fits[name][1].image}; expected a path from {path.parent} that fits one."
            )
        value = whole_number(row[number])
        if not value:
            raise DataError(
                f"Line {line} of {path} has the {number} {row[number]!r:.60}; expected the "
                f"number of the region in the instance mask, from 1 up."
            )
        for sample in fits[name]:
            of_sample = labels.setdefault(sample.id, {})
            if of_sample.setdefault(value, row["label"]) != row["label"]:
                raise DataError(
                    f"Line {line} of {path} labels {number} {value} of {name} {row['label']!r}, "
                    f"but a line above states {of_sample[value]!r}; expected one label for each."
                )
    return labels
