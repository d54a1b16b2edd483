"""Manifests, CSV files that list images and masks: their reader and their writer."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from maskwright.data.readers.base import Layout, Place, Reader, Recognition
from maskwright.data.readers.class_files import labels_as_classes
from maskwright.data.readers.description import FILE_NAMES, Description, write_description
from maskwright.data.readers.splits.split_words import column_splits, split_of
from maskwright.data.readers.tables import GROUP_COLUMNS, read_rows
from maskwright.data.samples import SEPARATOR, Doubt, Sample, SkippedFile, counted, unique_ids
from maskwright.errors import DataError
from maskwright.imageio import write_table

COLUMNS = ("image", "mask", "split", "case", "label", "weight")
"""Columns of a manifest; the first two must be there, others than these can serve for grouping."""

_FURTHER_COLUMNS = ("instances", "spacing_mm", "classes", "field_of_view")

MANIFEST_NAME = "manifest.csv"

_OTHER_PLACES = ("images", "masks", "field_of_view", "pair_by", "annotations")


def _recognize(place: Place) -> Recognition | None:
    stated = place.description or Description()
    if name := stated.manifest:
        converted = bool(place.title)
        return Recognition(1.0, name, lambda: read_manifest(place.path / name, name, converted))
    path = place.path / MANIFEST_NAME if place.path.is_dir() else place.path
    elsewhere = any(getattr(stated, key) is not None for key in _OTHER_PLACES)
    if elsewhere or path.suffix.lower() != ".csv" or not path.is_file():
        return None
    described = stated.model_copy(update={"manifest": path.name})
    return Recognition(1.0, path.name, lambda: Place(str(path.parent), described))


MANIFEST = Reader("manifest", "a CSV manifest", _recognize)


def read_manifest(path: Path, name: str | None = None, converted: bool = False) -> Layout:
    """Samples of a CSV file with the header `image,mask,split,case,label,weight`.

    Only `image` and `mask` need to be there. Paths count from the folder of the file; several masks
    of an image are separated by `;`, and so are their labels where each has its own. An image
    without a mask is background, other empty cells mean that nothing is stated. Without a column
    `case`, the first of `group`, `patient`, `subject`, `scene` and `video` holds the cases.
    `instances` may name a file of object numbers, `spacing_mm` state the size of a pixel, as `0.7`
    or, by rows and columns, `0.8x0.7`, `field_of_view` name a mask outside of which pixels are
    ignored, and `classes` the class that each of the masks shows; labels of all masks are classes,
    too, where images have several. `name` is what the data set states the file as, `converted` that
    nobody has written it. `DataError` if a column or a row is wrong.
    """
    name = name or path.name
    header, rows = read_rows(path)
    if not {"image", "mask"} <= set(header):
        raise DataError(
            f"{path} has the columns {', '.join(header) or '(none)'}; expected a first line with "
            f"at least `image,mask`, and of {', '.join(COLUMNS[2:])} what is known."
        )
    splits, stated = column_splits(header, [row for _, row in rows], "split")
    cases = next((column for column in ("case", *GROUP_COLUMNS) if column in header), "")
    layout = Layout(f"manifest {name}", [], case_from=cases)
    images = [_file(path.parent, row["image"]) for _, row in rows]
    ids = unique_ids([(p.parent.name, p.stem) for p in images])
    for (line, row), id_, split in zip(rows, ids, stated, strict=True):
        row["split"] = split or ""
        result = _sample(path, line, row, id_)
        if isinstance(result, SkippedFile):
            layout.skipped.append(result)
            continue
        layout.samples.append(replace(result, case=(row[cases] if cases else "") or id_))
        layout.facts[id_] = row
    if "classes" not in header:
        layout.samples = labels_as_classes(layout.samples)
        layout.objects = any(len(sample.masks) > 1 for sample in layout.samples)
    if not converted:
        layout.find_names(path.parent)
    if splits not in {"", "split"}:
        layout.note("splits", f"Splits are the column {splits!r} of {name}.")
    unstated = [sample for sample in layout.samples if sample.split is None]
    if 0 < len(unstated) < len(layout.samples):
        layout.doubts.append(_doubt_empty(unstated, "" if converted else splits))
    if cases not in {"", "case"}:
        layout.note("cases", f"Cases are the column {cases!r} of {name}.")
    if empty := [sample for sample in layout.samples if not sample.masks]:
        text = f"{counted(len(empty), 'image')} of {name} without a mask are background; to leave "
        layout.note("without_mask", f"{text}them out, write `unannotated: skip` into data.yaml.")
    return layout


def _doubt_empty(unstated: Sequence[Sample], column: str) -> Doubt:
    """Doubt about images in no split; `column` of the table is `""` where nobody can fill it."""
    settle = "Write `splits: {}` into data.yaml for splits that are drawn, or the names or "
    settle += "patterns of the images of each split, such as `splits: {train: ['a*'], test: [b]}`."
    if column:
        settle = f"Fill the column {column!r}, with another word than train, val and test for what "
        settle += "is not used; or write `splits: {}` into data.yaml for splits that are drawn."
    text = (
        f"{counted(len(unstated), 'image')} in no split, such as {unstated[0].image.name}, while "
    )
    return Doubt("unstated_split", f"{text}others are in one: to be trained on, or not.", settle)


def _file(folder: Path, name: str) -> Path:
    """File of a cell; backslashes part folders where there is no file of that very name."""
    path = folder / name
    return folder / name.replace("\\", "/") if "\\" in name and not _is_file(path) else path


def _files(folder: Path, cell: str) -> Iterator[Path]:
    """Files of a cell, whose names may hold the separator themselves."""
    parts: list[str] = []
    for part in cell.split(SEPARATOR):
        parts.append(part)
        if _is_file(file := _file(folder, SEPARATOR.join(parts).strip())):
            yield file
            parts.clear()
    yield from (_file(folder, part.strip()) for part in parts if part.strip())


def _is_file(path: Path) -> bool:
    """Whether a file exists; unlike `Path.is_file`, of names too that no file can have."""
    return os.path.isfile(path)  # noqa: PTH113


def _sample(path: Path, line: int, row: dict[str, str], id_: str) -> Sample | SkippedFile:
    """Sample of a row, without its case, or why there is none."""
    where = f"line {line} of {path.name}"
    image = _file(path.parent, row["image"])
    masks = tuple(_files(path.parent, row["mask"]))
    numbers, view = (
        _file(path.parent, row[column]) if row.get(column) else None
        for column in ("instances", "field_of_view")
    )
    stated = [file for file in (image, *masks, numbers, view) if file]
    missing = [file for file in stated if not _is_file(file)]
    if not row["image"] or missing:
        faulty = missing[0] if row["image"] else path
        reason = "there is no such file" if row["image"] else "there is no image"
        return SkippedFile(faulty, reason, where=where, unpaired="image")
    try:
        weight = float(row.get("weight") or 1)
    except ValueError:
        weight = math.nan
    if not 0 <= weight < math.inf:
        raise DataError(
            f"Line {line} of {path} has the weight {row['weight']!r}; expected a number from 0 up."
        )
    split = row.get("split", "")
    spacing = row.get("spacing_mm") or ""
    classes = [name.strip() for name in row.get("classes", "").split(SEPARATOR)]
    sample = Sample(
        id_,
        image,
        masks,
        id_,
        split_of(split, short=True) or split or None,
        row.get("label") or None,
        weight,
        numbers,
        spacing_mm=_spacing(spacing, f"Line {line} of {path}") if spacing else None,
        classes=tuple(classes) if row.get("classes") else (),
        field_of_view=view,
    )
    for column, entries in (("labels", sample.labels), ("classes", sample.classes)):
        if len(entries) > (column == "labels") and len(entries) != len(masks):
            whole = "one label for the image, or " if column == "labels" else ""
            raise DataError(
                f"Line {line} of {path} has {len(entries)} {column} for the {len(masks)} masks of "
                f"{row['image']}; expected {whole}one for each mask, separated by {SEPARATOR!r}."
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
            f"{where} has the spacing_mm {text!r}; expected millimeters such as 0.7, or 0.8x0.7 "
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
            SEPARATOR.join(sample.classes),
            relative_path(sample.field_of_view, path.parent),
        )
        for sample in samples
    ]
    header = (*COLUMNS, *_FURTHER_COLUMNS)
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
