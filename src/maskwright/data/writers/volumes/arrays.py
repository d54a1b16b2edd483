"""Writers of arrays: stacks in an `.npz`, and a group for each image or volume in HDF5."""

from pathlib import Path

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.readers.folders.roles import parse_folder_name
from maskwright.data.samples import grouped
from maskwright.data.writers.base import Writer
from maskwright.data.writers.images import require_usual_splits
from maskwright.data.writers.volumes.slices import sample_volumes, write_legend
from maskwright.errors import DataError
from maskwright.imageio import atomic_write


def _write_npz(dataset: DataSet, folder: Path) -> None:
    require_usual_splits(dataset, "A stack")
    sizes = {(h.height, h.width) for h in (dataset.header(s.image) for s in dataset.samples)}
    if len(sizes) > 1:
        raise DataError(
            f"A stack holds images of one size, and these have {len(sizes)}; use hdf5 instead, "
            f"which holds each by itself."
        )
    arrays: dict[str, np.ndarray] = {}
    for split, samples in grouped(dataset.samples, lambda s: s.split or "train").items():
        pairs = [dataset.read(sample) for sample in samples]
        arrays[f"{split}_images"] = np.stack([image for image, _ in pairs])
        arrays[f"{split}_masks"] = np.stack([labels.astype(np.uint8) for _, labels in pairs])
        arrays[f"{split}_ids"] = np.array([sample.id for sample in samples])
        arrays[f"{split}_cases"] = np.array(
            ["" if sample.case == sample.id else sample.case for sample in samples]
        )
    with atomic_write(folder / "data.npz") as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
    write_legend(dataset, folder)


def _write_hdf5(dataset: DataSet, folder: Path) -> None:
    import h5py

    require_usual_splits(dataset, "HDF5")

    with (
        atomic_write(folder / "data.h5") as temporary,
        h5py.File(temporary, "w", locking=False) as file,
    ):
        for number, volume in enumerate(sample_volumes(dataset)):
            plain = parse_folder_name(volume.id)[:2] == ("", None)  # else it would be read as more
            group = f"{volume.split}/{volume.id if plain else f'n{number:06}'}"
            images, labels = volume.read(dataset)
            for key, values in (("image", images), ("label", labels.astype(np.uint8))):
                file.create_dataset(f"{group}/{key}", data=values, compression="gzip")
    write_legend(dataset, folder)


NPZ = Writer(
    "npz", "one .npz with stacks of images and masks of each split", _write_npz, cases=True
)
HDF5 = Writer(
    "hdf5", "one HDF5 file with a group for each image or volume", _write_hdf5, volumes=True
)
