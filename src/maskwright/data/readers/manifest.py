"""Manifests, CSV files that list images and masks: their reader and their writer."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from maskwright.data.readers.base import Layout, Place, Reader, Recognition
from maskwright.data.readers.description import FILE_NAMES, Description, write_description
from maskwright.data.readers.split_files import SPLIT_WORDS
from maskwright.data.readers.tables import GROUP_COLUMNS, read_rows
from maskwright.data.samples import SEPARATOR, Sample, SkippedFile, unique_ids
from maskwright.errors import DataError
from maskwright.imageio import write_table

COLUMNS = ("image", "mask", "split", "case", "label", "weight")
"""Columns of a manifest; the first two must be there, others than these can serve for grouping."""

MANIFEST_NAME = "manifest.csv"

_INSTANCES = "instances"
_SPACING = "spacing_mm"


def _recognize(place: Place) -> Recognition | None:
    stated = place.description and place.description.manifest
    if stated:
        return Recognition(1.0, stated, lambda: read_manifest(place.path / stated, stated))
    if place.description is not None:
        return None
    path = place.path / MANIFEST_NAME if place.path.is_dir() else place.path
    if path.suffix.lower() != ".csv" or not path.is_file():
        return None
    description = Description(manifest=path.name)
    return Recognition(1.0, path.name, lambda: Place(str(path.parent), description))


MANIFEST = Reader("manifest", "a CSV manifest", "", _recognize)


def read_manifest(path: Path, name: str | None = None) -> Layout:
    """Samples of a CSV file with the header `image,mask,split,case,label,weight`.

    Only `image` and `mask` need to be there. Paths count from the folder of the file; several masks
    of an image are separated by `;`, and so are their labels where each has its own. Empty cells
    mean that nothing is stated. Without a column `case`, the first of `group`, `patient`,
    `subject`, `scene` and `video` holds the cases; `instances` may name a file of object numbers,
    and `spacing_mm` state the size of a pixel, as `0.7` or, by rows and columns, `0.8x0.7`.
    `name` is what the data set states the file as. `DataError` if a column or a row is wrong.
    """
    name = name or path.name
    header, rows = read_rows(path)
    if not {"image", "mask"} <= set(header):
        raise DataError(
            f"{path} has the columns {', '.join(header) or '(none)'}; expected a first line with "
            f"at least `image,mask`, and of {', '.join(COLUMNS[2:])} what is known."
        )
    cases = next((column for column in ("case", *GROUP_COLUMNS) if column in header), "")
    layout = Layout(f"manifest {name}", [], case_from=cases)
    images = [path.parent / row["image"] for _, row in rows]
    ids = unique_ids([(p.parent.name, p.stem) for p in images])
    for (line, row), id_ in zip(rows, ids, strict=True):
        result = _sample(path, line, row, id_)
        if isinstance(result, SkippedFile):
            layout.skipped.append(result)
            continue
        layout.samples.append(replace(result, case=(row[cases] if cases else "") or id_))
        layout.facts[id_] = row
    layout.objects = any(len(sample.masks) > 1 for sample in layout.samples)
    if cases not in {"", "case"}:
        layout.note("cases", f"Cases are the column {cases!r} of {name}.")
    return layout


def _sample(path: Path, line: int, row: dict[str, str], id_: str) -> Sample | SkippedFile:
    """Sample of a row, without its case, or why there is none."""
    image = path.parent / row["image"]
    names = [name.strip() for name in row["mask"].split(SEPARATOR)]
    masks = tuple(path.parent / name for name in names if name)
    numbers = path.parent / row[_INSTANCES] if row.get(_INSTANCES) else None
    stated = [file for file in (image, *masks, numbers) if file]
    # Unlike `is_file`, of names too that no file can have.
    missing = [file for file in stated if not os.path.isfile(file)]  # noqa: PTH113
    if not row["image"] or missing:
        faulty = missing[0] if row["image"] else path
        return SkippedFile(faulty, f"line {line} of {path.name}: there is no such file")
    if not masks:
        return SkippedFile(image, f"line {line} of {path.name}: image without a mask")
    try:
        weight = float(row.get("weight") or 1)
    except ValueError:
        weight = math.nan
    if not 0 <= weight < math.inf:
        raise DataError(
            f"Line {line} of {path} has the weight {row['weight']!r}; expected a number from 0 up."
        )
    split = row.get("split", "")
    spacing = row.get(_SPACING) or ""
    sample = Sample(
        id_,
        image,
        masks,
        id_,
        SPLIT_WORDS.get(split.casefold(), split) or None,
        row.get("label") or None,
        weight,
        numbers,
        spacing_mm=_spacing(spacing, f"Line {line} of {path}") if spacing else None,
    )
    if len(sample.labels) > 1 and len(sample.labels) != len(masks):
        raise DataError(
            f"Line {line} of {path} has {len(sample.labels)} labels for the {len(masks)} masks "
            f"of {row['image']}; expected one label for the image, or one for each mask, "
            f"separated by {SEPARATOR!r}."
        )
    return sample


def _spacing(text: str, where: str) -> tuple[float, float]:
    """Size of a pixel by rows and columns, mm; `DataError` naming the line where it is none."""
    try:
        sides = [float(side) for side in text.split("x")]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2) or not all(0 < side < math.inf for side in sides):
        raise DataError(
            f"{where} has the {_SPACING} {text!r}; expected millimeters such as 0.7, or 0.8x0.7 "
            f"from row to row and from column to column."
        )
    return sides[0], sides[-1]


def write_manifest(path: Path, samples: Iterable[Sample]) -> None:
    """Write samples so that `read_manifest` gives them back; paths relative where they can be."""
    rows = [
        (
            relative_path(sample.image, path.parent),
            SEPARATOR.join(relative_path(mask, path.parent) for mask in sample.masks),
            sample.split or "",
            "" if sample.case == sample.id else sample.case,
            sample.label or "",
            "" if sample.weight == 1 else f"{sample.weight:g}",
            relative_path(sample.instances, path.parent),
            "x".join(f"{side:.9g}" for side in sample.spacing_mm or ()),
        )
        for sample in samples
    ]
    header = (*COLUMNS, _INSTANCES, _SPACING)
    used = [n for n in range(len(header)) if n < len(COLUMNS) or any(row[n] for row in rows)]
    write_table(path, [header[n] for n in used], [[row[n] for n in used] for row in rows])


def write_described(
    folder: Path,
    samples: Iterable[Sample],
    stated: Mapping[str, Any],
    remarks: Sequence[str],
    manifest: str = MANIFEST_NAME,
) -> None:
    """Write a manifest, and a data.yaml that names it and states the rest."""
    write_manifest(folder / manifest, samples)
    write_description(folder / FILE_NAMES[0], {"manifest": manifest, **stated}, remarks)


def cache_folder(kind: str) -> Path:
    """Folder below which data sets of a kind are cached: `$XDG_CACHE_HOME`, else `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "maskwright" / kind


def relative_path(file: Path | None, folder: Path) -> str:
    """Path from a folder to a file in it, else the whole path; `""` for none."""
    if file is None:
        return ""
    file, folder = file.resolve(), folder.resolve()
    return (file.relative_to(folder) if file.is_relative_to(folder) else file).as_posix()
