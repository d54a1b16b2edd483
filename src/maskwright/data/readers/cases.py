"""What lies beside images and masks: cases of samples, and files that number their objects."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from maskwright.data.readers.base import Layout
from maskwright.data.readers.tables import read_groups
from maskwright.data.samples import Sample
from maskwright.errors import ConfigError
from maskwright.imageio import list_images

_INSTANCES = "instances"


def assign_cases(
    root: Path, samples: Sequence[Sample], layout: Layout, group_by: str | None
) -> tuple[list[Sample], str]:
    """Give every sample its case, and say where cases come from; `""` where each is its own."""
    columns = layout.columns
    if not columns:
        column, columns = read_groups(root, samples)
        group_by = group_by or column or None
        if column:
            layout.note("cases", f"Cases are the column {column!r} of the table of groups.")
    if group_by is None:
        has_cases = any(sample.case != sample.id for sample in samples)
        return list(samples), layout.case_from if has_cases else ""
    if group_by in columns:
        table = columns[group_by]
        return [replace(s, case=table.get(s.id) or s.id) for s in samples], group_by
    try:
        pattern = re.compile(group_by)
    except re.error as error:
        raise ConfigError(f"The pattern {group_by!r} to group by is wrong: {error}.") from None
    if pattern.groups < 1:
        alternatives = f"one of the columns {', '.join(columns)}, or " if columns else ""
        raise ConfigError(
            f"Cannot group by {group_by!r}; expected {alternatives}a pattern with a group in "
            f"brackets, such as '(.+)_[0-9]+', that matches the case in the name of a sample."
        )
    cases = []
    for sample in samples:
        match = pattern.search(sample.id)
        if match is None or not match[1]:
            raise ConfigError(
                f"The pattern {group_by!r} finds no case in the name {sample.id!r}; expected one "
                f"that fits all names."
            )
        cases.append(replace(sample, case=match[1]))
    return cases, group_by


def add_instance_files(root: Path, samples: Sequence[Sample]) -> list[Sample]:
    """Samples with files that number their objects: of `masks/a/x.png`, `instances/a/x.png`.

    One that a manifest states stays.
    """
    files_of: dict[Path, dict[str, Path]] = {}

    def beside(sample: Sample) -> Path | None:
        if len(sample.masks) != 1 or not sample.masks[0].is_relative_to(root):
            return sample.instances
        folders = sample.masks[0].relative_to(root).parts[:-1]
        for level in reversed(range(len(folders))):
            folder = root.joinpath(*folders[:level], _INSTANCES, *folders[level + 1 :])
            if folder not in files_of:
                files = list_images(folder) if folder.is_dir() else []
                files_of[folder] = {file.stem: file for file in files}
            for stem in (sample.masks[0].stem, sample.image.stem):
                if stem in files_of[folder]:
                    return files_of[folder][stem]
        return None

    return [s if s.instances is not None else replace(s, instances=beside(s)) for s in samples]
