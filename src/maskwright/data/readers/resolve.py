"""Where a data set lies, what is stated of it, and what that and its files make of its samples."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from maskwright.data.encodings.encoding import Encoding, MaskContents
from maskwright.data.encodings.infer_encoding import recognize
from maskwright.data.readers import coco
from maskwright.data.readers.data_yaml import (
    FILE_NAMES,
    Description,
    ignored_values,
    read_description,
    stated_encoding,
    stated_legend,
)
from maskwright.data.readers.layouts import HOW_TO_STATE, Layout, recognize_folder
from maskwright.data.readers.manifest import read_groups, read_manifest
from maskwright.data.readers.split_files import divide
from maskwright.data.readers.tfds import PREFIX, convert_to_png
from maskwright.data.samples import Sample
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import list_images
from maskwright.labels import IGNORE_LABEL, Labels

PLACES = {"images", "masks", "manifest", "splits"}
"""Keys of a description that say where files are."""

_MANIFEST = "manifest.csv"
_INSTANCES = "instances"


@dataclass(frozen=True)
class Source:
    """A data set before anything in it is read.

    Args:
        root: Folder that holds it.
        said: What is stated on it.
        layout: How its files are laid out.
    """

    root: Path
    said: Description
    layout: Layout


def find(source: str | Path) -> Source:
    """Find what `open_dataset` is given, and list its samples.

    Raises:
        DataError: If nothing is recognized there.
        ConfigError: If data.yaml is wrong.
    """
    root, said = _locate(source)
    if root.is_dir():
        try:
            return Source(root, said, _layout(root, said))
        except DataError:
            # Masks that are there come first; polygons are drawn where nothing else is found.
            drawn = None if PLACES & said.model_fields_set else coco.convert_to_png(root)
            if drawn is None:
                raise
    else:
        drawn = coco.convert_to_png(root)
        if drawn is None:
            raise DataError(
                f"{root} holds no COCO annotations; expected lists of images, annotations and "
                f"categories."
            )
    root = drawn[0]
    stated = {key: getattr(said, key) for key in said.model_fields_set - {"root"}}
    said = read_description(root / FILE_NAMES[0]).model_copy(update=stated)
    layout = _layout(root, said)
    layout.name = "COCO annotations"
    layout.notes += drawn[1]
    return Source(root, said, layout)


def _locate(source: str | Path) -> tuple[Path, Description]:
    """Folder of a data set, or a file of annotations, and what is stated on it."""
    if str(source).startswith(PREFIX):
        source = convert_to_png(str(source).removeprefix(PREFIX))
    path = Path(source)
    if path.is_dir():
        for name in FILE_NAMES:
            if (path / name).is_file():
                return _locate(path / name)
        is_listed = (path / _MANIFEST).is_file()
        return path, Description(manifest=_MANIFEST) if is_listed else Description()
    if not path.is_file():
        raise DataError(
            f"{path} does not exist; expected a folder of images and masks, a CSV manifest, a "
            f"data.yaml, a JSON file of COCO, or {PREFIX}NAME."
        )
    if path.suffix.lower() == ".csv":
        return path.parent, Description(manifest=path.name)
    if path.suffix.lower() == ".json":
        return path, Description()
    if path.suffix.lower() in {".yaml", ".yml"}:
        said = read_description(path)
        root = path.parent / said.root if said.root != "." else path.parent
        if not root.is_dir():
            raise DataError(f"{path} states the root {said.root}, but {root} is no folder.")
        return root, said
    raise DataError(
        f"{path} is no data set; expected a folder, a CSV manifest, a JSON file of COCO or a "
        f"data.yaml. {HOW_TO_STATE}"
    )


def _layout(root: Path, said: Description) -> Layout:
    if said.manifest is not None:
        table = read_manifest(root / said.manifest)
        layout = Layout(f"manifest {said.manifest}", table.samples, table.left_out)
        layout.objects = any(len(sample.masks) > 1 for sample in table.samples)
        layout.columns, layout.case_from = table.columns, table.case_column
        if layout.case_from not in {"", "case"}:
            layout.notes.append(f"Cases are the column {layout.case_from!r} of {said.manifest}.")
    else:
        layout = recognize_folder(root, said.images, said.masks)
    if said.splits is not None:
        divided = divide(root, layout.samples, said.splits)
        layout.samples = divided.samples
        layout.left_out += [(s.image, "in no split of data.yaml") for s in divided.unlisted]
    if not layout.samples:
        reason = layout.left_out[0][1] if layout.left_out else "it lists none"
        raise DataError(f"{root} holds no usable sample; the first reason: {reason}.")
    return layout


def meaning(
    contents: Sequence[MaskContents], layout: Layout, said: Description
) -> tuple[Encoding, Labels]:
    """Encoding and classes: as stated, else as recognized."""
    stated = stated_encoding(said)
    if stated is not None:
        return stated
    ignored = ignored_values(said)
    if ignored:
        contents = [
            replace(c, values={v: n for v, n in c.values.items() if v not in ignored})
            for c in contents
        ]
        contents = [content for content in contents if content.values]
        if not contents:
            raise ConfigError("data.yaml ignores every value that occurs in the masks.")
    objects = layout.objects or said.objects is not None
    encoding, labels = recognize(contents, stated_legend(said) or layout.legend, objects)
    values = {**encoding.values, **dict.fromkeys(ignored, IGNORE_LABEL)}
    return replace(encoding, values=values), labels


def grouped(
    root: Path, samples: Sequence[Sample], layout: Layout, group_by: str | None
) -> tuple[list[Sample], str]:
    """Give every sample its case, and say where cases come from; `""` where each is its own."""
    columns = layout.columns
    if not columns:
        column, columns = read_groups(root, samples)
        group_by = group_by or column or None
        if column:
            layout.notes.append(f"Cases are the column {column!r} of the table of groups.")
    if group_by is None:
        parted = any(sample.case != sample.id for sample in samples)
        return list(samples), layout.case_from if parted else ""
    if group_by in columns:
        table = columns[group_by]
        return [replace(s, case=table.get(s.id) or s.id) for s in samples], group_by
    try:
        pattern = re.compile(group_by)
    except re.error as error:
        raise ConfigError(f"The pattern {group_by!r} to group by is wrong: {error}.") from None
    if pattern.groups < 1:
        there = f"one of the columns {', '.join(columns)}, or " if columns else ""
        raise ConfigError(
            f"Cannot group by {group_by!r}; expected {there}a pattern with a group in brackets, "
            f"such as '(.+)_[0-9]+', that finds the case in the name of a sample."
        )
    cases = []
    for sample in samples:
        found = pattern.search(sample.id)
        if found is None or not found[1]:
            raise ConfigError(
                f"The pattern {group_by!r} finds no case in the name {sample.id!r}; expected one "
                f"that fits all names."
            )
        cases.append(replace(sample, case=found[1]))
    return cases, group_by


def with_instances(root: Path, samples: Sequence[Sample]) -> list[Sample]:
    """Samples with the files that number their objects, where such files lie beside the masks.

    Of `masks/a/x.png` that is `instances/a/x.png`; one that a manifest states stays.
    """
    listed: dict[Path, dict[str, Path]] = {}

    def beside(sample: Sample) -> Path | None:
        if len(sample.masks) != 1 or not sample.masks[0].is_relative_to(root):
            return sample.instances
        folders = sample.masks[0].relative_to(root).parts[:-1]
        for level in reversed(range(len(folders))):
            folder = root.joinpath(*folders[:level], _INSTANCES, *folders[level + 1 :])
            if folder not in listed:
                files = list_images(folder) if folder.is_dir() else []
                listed[folder] = {file.stem: file for file in files}
            for stem in (sample.masks[0].stem, sample.image.stem):
                if stem in listed[folder]:
                    return listed[folder][stem]
        return None

    return [s if s.instances is not None else replace(s, instances=beside(s)) for s in samples]
