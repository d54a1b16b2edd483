"""Labels of slices as volumes on the grid of their source: NIfTI, or DICOM SEG."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from maskwright.data.readers.volumes.grid import Grid
from maskwright.data.readers.volumes.nifti import write_nifti
from maskwright.data.readers.volumes.unlabeled import CutVolumes
from maskwright.data.writers.volumes.dicom_seg import write_dicom_seg
from maskwright.errors import DataError
from maskwright.imageio import write_table

SOURCES_FILE = "volumes.csv"
"""Beside the volumes of labels: the file that each was predicted from."""


def write_label_volumes(
    volumes: CutVolumes,
    out: Path,
    read_labels: Callable[[str], np.ndarray | None],
    names: Sequence[str],
) -> tuple[list[Path], list[str]]:
    """Write `out/ID.nii.gz`, or `out/ID.dcm`, of each volume whose slices all have labels.

    Returns the files, and why others could not be written. `read_labels` gives labels `(h, w)` by
    the name of a slice, `None` where there are none.
    """
    written: list[Path] = []
    faults: list[str] = []
    rows = []
    for id_, origin in volumes.origins.items():
        slices = [read_labels(name) for name in volumes.names(id_)]
        present = [labels for labels in slices if labels is not None]
        if len(present) < len(slices):
            continue
        labels = np.stack(present)
        if isinstance(origin, Grid):
            path = out / f"{id_}.nii.gz"
            write_nifti(path, labels, origin)
        else:
            path = out / f"{id_}.dcm"
            try:
                write_dicom_seg(path, origin, labels, names, automatic=True)
            except DataError as error:
                faults.append(str(error))
                continue
        written.append(path)
        rows.append((path.name, str(volumes.sources[id_])))
    write_table(out / SOURCES_FILE, ("volume", "source"), rows)
    return written, faults
