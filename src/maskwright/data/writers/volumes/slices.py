"""Samples of a data set as the volumes that they were cut from, and what describes them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.readers.description import FILE_NAMES, described_labels, write_description
from maskwright.data.readers.volumes.grid import Grid
from maskwright.data.readers.volumes.volume import read_grids, slice_names
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.labels import IGNORE_LABEL


@dataclass(frozen=True)
class SampleVolume:
    """Samples that are the slices of a volume, in order; an image alone is a volume of one."""

    id: str
    samples: tuple[Sample, ...]
    grid: Grid

    @property
    def split(self) -> str:
        """Of all its samples."""
        return self.samples[0].split or "train"

    def read(self, dataset: DataSet) -> tuple[np.ndarray, np.ndarray]:
        """Images `(n, h, w, c)`, and labels `(n, h, w)`, ignored where an image has no data."""
        images, labels = zip(*map(dataset.read, self.samples), strict=True)
        return np.stack(images), np.stack(labels)


def sample_volumes(dataset: DataSet) -> list[SampleVolume]:
    """Volumes of a data set; `DataError` where slices of one are missing or in several splits."""
    samples = {sample.id: sample for sample in dataset.samples}
    volumes = []
    for id_, grid in read_grids(dataset.root).items():
        names = slice_names(id_, grid.shape[grid.order[2][0]])
        slices = [samples.pop(name.replace("/", "-"), None) for name in names]
        present = tuple(sample for sample in slices if sample is not None)
        if len(present) < len(slices) or len({sample.split for sample in present}) > 1:
            raise DataError(
                f"Of the volume {id_}, {len(present)} of {len(slices)} slices can be used, in the "
                f"splits {sorted({str(s.split) for s in present})}; expected all in one split."
            )
        volumes.append(SampleVolume(id_, present, grid))
    return volumes + [_alone(dataset, sample) for sample in samples.values()]


def _alone(dataset: DataSet, sample: Sample) -> SampleVolume:
    header = dataset.header(sample.image)
    rows, columns = sample.spacing_mm or (1.0, 1.0)
    affine = ((-columns, 0.0, 0.0, 0.0), (0.0, -rows, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0))
    grid = Grid((*affine, (0.0, 0.0, 0.0, 1.0)), (header.width, header.height, 1))
    return SampleVolume(sample.id, (sample,), grid)


def write_legend(dataset: DataSet, folder: Path) -> None:
    """Write a data.yaml that states the classes of labels."""
    stated = described_labels(dataset.labels) | {"ignore": [IGNORE_LABEL]}
    write_description(folder / FILE_NAMES[0], stated, [f"Converted from {dataset.layout}."])
