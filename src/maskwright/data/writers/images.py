"""Images of a data set, copied as they are, with names that are unique in it."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from maskwright.data.dataset import DataSet
from maskwright.data.parallel import in_threads
from maskwright.data.samples import Item, Sample
from maskwright.errors import DataError

_SPLITS = ("train", "val", "test")


def image_name(sample: Sample) -> str:
    """Name of the file of an image in what is written."""
    return f"{sample.id}{sample.image.suffix.lower()}"


def copy_image(sample: Sample, folder: Path) -> Path:
    """Copy the file of an image; its new path."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(sample.image, folder / image_name(sample)))


def require_usual_splits(dataset: DataSet, about: str) -> None:
    """Raise `DataError` where there are other splits, which the format `about` cannot hold."""
    if others := [name for name in dataset.splits if name not in _SPLITS]:
        usual = ", ".join(_SPLITS)
        raise DataError(f"{about} cannot hold the split {others[0]}; expected {usual}.")


def for_each_sample(dataset: DataSet, write: Callable[[Sample], Item]) -> list[Item]:
    """What a function that writes one sample returns for all of them, in order."""
    return list(in_threads(partial(write), dataset.samples, "Converting images"))


def orientation_key(dataset: DataSet) -> dict[str, str]:
    """Key of data.yaml that says how masks lie on images that an EXIF orientation turns."""
    turned = any(dataset.header(sample.image).orientation != 1 for sample in dataset.samples)
    return {"mask_orientation": "displayed"} if turned else {}
