"""Images and their corrected masks, kept as a data set that `maskwright train` reads."""

import filecmp
import shutil
import threading
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.readers.description import FILE_NAMES, read_description, write_description
from maskwright.errors import ConfigError, DataError, TooLargeError
from maskwright.imageio import (
    IMAGE_SUFFIXES,
    MAX_PIXELS,
    atomic_write,
    list_images,
    read_header,
    write_image,
    write_mask,
)
from maskwright.imageio.windows import MOST_PIXELS
from maskwright.labels import IGNORE_LABEL, Labels
from maskwright.model_card import InstanceCard, SemanticCard
from maskwright.serving.jobs.job_queue import room_for
from maskwright.serving.store.downloads import present_objects, stem_of
from maskwright.serving.store.upload import Upload

_SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "JPEG2000": ".jp2", "PPM": ".ppm", "TIFF": ".tif"}
_REMARK = "Kept by maskwright serve: masks as they were corrected; 255 marks what does not count."


class TrainingSetWriter:
    """A folder with a data set for each model: `images`, `masks` and a `data.yaml`.

    Where a model tells objects apart, `instances` holds their numbers.

    Args:
        folder: Made when the first image is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    def keep(self, upload: Upload) -> dict[str, Any]:
        """Keep an image with its mask as it is now; the same image again replaces its mask.

        Returns:
            `folder`, by its last two names, and how many `images` it holds now.

        Raises:
            DataError: If training could not read the image, or it cannot be written.
            ConfigError: If the folder holds masks of other classes.
        """
        name, segmenter = upload.served.name, upload.served.segmenter
        if segmenter is None:
            raise ConfigError(f"The model {name} draws no masks that could be kept.")
        _check_size(upload.size)
        room_for(upload.size[0] * upload.size[1])
        with upload.in_use():
            labels, suffix = upload.labels(), _suffix(upload)
        objects = present_objects(upload, labels)
        folder = self.folder / name
        try:
            with self._lock:
                self._describe(folder, name, segmenter.card)
                stem = _free_stem(folder / "images", stem_of(upload.name), upload.file)
                if objects is not None:
                    write_image(folder / "instances" / f"{stem}.png", _numbers(objects.ids()))
                write_mask(folder / "masks" / f"{stem}.png", labels, segmenter.card.labels.colors)
                # Last, so that there is never an image without its mask.
                with atomic_write(folder / "images" / f"{stem}{suffix}") as beside:
                    shutil.copyfile(upload.file, beside)
                number = len(list_images(folder / "images"))
        except OSError as error:
            raise DataError(f"{upload.name} cannot be kept: {error.strerror}.") from error
        return {"folder": f"{self.folder.name}/{name}", "images": number}

    def _describe(self, folder: Path, name: str, card: SemanticCard | InstanceCard) -> None:
        """Write what the masks hold; `ConfigError` where the folder says otherwise."""
        file, labels = folder / FILE_NAMES[0], card.labels
        if not file.is_file():
            write_description(file, _description(labels), [_REMARK])
            return
        said = read_description(file).classes or []
        if said != list(labels.names):
            raise ConfigError(
                f"What is kept of {name} has the classes {', '.join(said)}, and the model "
                f"{', '.join(labels.names)}; serve it under another name, or with another --keep."
            )


def _description(labels: Labels) -> Mapping[str, Any]:
    described = labels.to_dict()
    return {
        "images": "images",
        "masks": "masks",
        "classes": described["names"],
        "colors": described["colors"],
        "encoding": "indices",
        "values": dict(enumerate(labels.names)),
        "ignore": [IGNORE_LABEL],
    }


def _check_size(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise TooLargeError(
            f"The image has {size[1]}x{size[0]} pixels, more than the {MAX_PIXELS:,} that training "
            f"reads; cut it into parts and keep these."
        )


def _suffix(upload: Upload) -> str:
    """Ending by which training knows an image: its own, or that of its format."""
    own = Path(upload.name).suffix.lower()
    if own in IMAGE_SUFFIXES:
        return own
    format = read_header(upload.file, MOST_PIXELS).format
    return _SUFFIXES.get(format, f".{format.lower()}")


def _free_stem(folder: Path, stem: str, file: Path) -> str:
    """Name for an image: that of a file with the same content, else one that is not taken.

    Masks are found by these names alone, in which neither upper and lower case nor the ending of
    the file count.
    """
    taken: dict[str, list[Path]] = {}
    for image in list_images(folder) if folder.is_dir() else []:
        taken.setdefault(_plain(image.stem), []).append(image)
    name, number = stem, 1
    while others := taken.get(_plain(name)):
        for other in others:
            if filecmp.cmp(other, file, shallow=False):
                return other.stem
        number += 1
        name = f"{stem}-{number}"
    return name


def _plain(stem: str) -> str:
    return unicodedata.normalize("NFC", stem).casefold()


def _numbers(ids: np.ndarray) -> np.ndarray:
    """Numbers of objects without gaps, uint16."""
    _, places = np.unique(ids, return_inverse=True)
    without = 0 if (ids == 0).any() else 1
    return (places.reshape(ids.shape) + without).astype(np.uint16)
