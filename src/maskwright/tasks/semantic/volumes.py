"""Masks for volumes: each slice as an image, then the labels of all on the grid of the volume."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from maskwright.data.readers.volumes.unlabeled import CutVolumes, cut_volumes
from maskwright.data.samples import counted
from maskwright.data.writers.volumes.label_volumes import write_label_volumes
from maskwright.export.runtime import load_card
from maskwright.imageio import read_mask
from maskwright.inference.folder_plan import FolderOptions, FolderPlan, FolderResult
from maskwright.inference.manifest import Record
from maskwright.tasks.semantic.folder import plan_folder
from maskwright.types import OnMessage


def plan_images_or_volumes(
    model: str | Path, images: str | Path, out: Path, options: FolderOptions
) -> FolderPlan[FolderResult]:
    """As `plan_folder`; volumes, NIfTI or DICOM, are cut into slices `NAME/000.png` and so on.

    Their labels go to `NAME.nii.gz` or `NAME.dcm` as well, on the grid of their source.
    """
    volumes = cut_volumes(images)
    if volumes is None:
        return plan_folder(model, images, out, options)
    plan = plan_folder(model, volumes.images, out, options)
    names = load_card(Path(model)).labels.names

    def finish(result: FolderResult, records: list[Record]) -> FolderResult:
        return write(plan.finish(result, records))

    write = partial(_write_volumes, volumes, out, names, options.on_message)
    return replace(plan, finish=finish)


def _write_volumes(
    volumes: CutVolumes,
    out: Path,
    names: tuple[str, ...],
    on_message: OnMessage,
    result: FolderResult,
) -> FolderResult:
    """Write labels as volumes, but for those of which a slice failed, and tell of it."""
    failed = {failure.image.with_suffix("") for failure in result.failed}

    def read_labels(name: str) -> np.ndarray | None:
        done = next((f for f in (out / f"{name}.png", out / f"{name}.tif") if f.is_file()), None)
        return None if volumes.images / name in failed or done is None else read_mask(done).values

    written, faults = write_label_volumes(volumes, out, read_labels, names)
    for note in (*volumes.notes, *faults):
        on_message(note)
    on_message(f"Wrote {counted(len(written), 'volume')} of labels, on the grids of the images.")
    return result
