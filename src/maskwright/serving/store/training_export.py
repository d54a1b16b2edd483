"""Images and their corrected masks as a data set that `maskwright train` reads."""

import filecmp
import hashlib
import shutil
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.readers.description import (
    FILE_NAMES,
    MULTILABEL,
    described_labels,
    read_description,
    write_description,
)
from maskwright.errors import ConfigError, DataError, MaskwrightError, TooLargeError
from maskwright.imageio import (
    IMAGE_SUFFIXES,
    MAX_PIXELS,
    list_images,
    read_header,
    read_mask,
    write_image,
    write_mask,
)
from maskwright.imageio.files import make_folder
from maskwright.imageio.windows import MOST_PIXELS
from maskwright.inference.output_paths import folder_names
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL, LAYER_IGNORED, Labels, layer_values
from maskwright.model_card import InstanceCard, SemanticCard
from maskwright.serving.jobs.fair_pool import need_pixels
from maskwright.serving.store.training_set import locked_training_set, staged_files
from maskwright.serving.store.upload import Upload

_SUFFIXES = {
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "JPEG2000": ".jp2",
    "PPM": ".ppm",
    "TIFF": ".tif",
    "NumPy": ".npy",
    "DICOM": ".dcm",
}
_REMARK = "Kept by maskwright serve: masks as they were corrected; {} marks what does not count."


class KeptError(MaskwrightError):
    """An image that the training data holds as `name` with another mask, not to be replaced."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The training data holds this image already, as {name}, with another mask, perhaps a "
            f"corrected one; keep it with replace=true to put this mask in its place."
        )


def keep_for_training(
    training_folder: Path, upload: Upload, replace: bool = False
) -> dict[str, Any]:
    """Store an image with its mask as it is now.

    The same image again replaces a mask that was kept of the same upload; another only if
    `replace` says so.

    Args:
        training_folder: Holds a data set for each model: `images`, `masks`, for a model of
            objects `instances` with their numbers, and a `data.yaml`; of classes that overlap,
            `masks` has a folder for each. Created when needed.

    Returns:
        `folder`, by its last two names, the number of `images` in it, and the name of the image
        there, `file`.

    Raises:
        DataError: If training could not read the image, or it cannot be written.
        ConfigError: If the folder holds masks of other classes.
        KeptError: If the folder holds another mask of the image.
    """
    name, card = upload.served.name, upload.card
    if upload.pixels > MAX_PIXELS:
        raise TooLargeError(
            f"The image has {upload.size[1]}x{upload.size[0]} pixels, more than the "
            f"{MAX_PIXELS:,} that training reads; cut it into parts and keep these."
        )
    need_pixels(upload.pixels * len(upload.layers))
    with upload.in_use():
        suffix, versions = _suffix(upload), [mask.version for mask in upload.masks]
        masks = _masks_of(upload)
    folder = training_folder / name
    if training_folder.is_file():
        raise DataError(f"{upload.name} cannot be kept: --keep names a file, not a folder.")
    try:
        with locked_training_set(folder):
            _check_classes(folder, name, card)
            stored = _same_image(folder / "images", upload.image)
            file = stored or folder / "images" / f"{_free_stem(folder, upload.stem)}{suffix}"
            files = {folder / kind / f"{file.stem}.png": masks[kind] for kind in masks}
            if stored and not (replace or upload.training_digest == _digest(files) or _hold(files)):
                raise KeptError(stored.name)
            with staged_files(folder) as staged:
                _describe(folder, staged, card)
                for path, values in files.items():
                    place = staged / path.relative_to(folder)
                    if path.parent == folder / "masks":
                        write_mask(place, values, card.labels.colors)
                    else:
                        write_image(place, values)
                make_folder(staged / "images")
                shutil.copyfile(upload.image, staged / "images" / file.name)
            number = len(list_images(folder / "images"))
            upload.training_digest = _digest(files)
            for mask, version in zip(upload.masks, versions, strict=True):
                mask.exported = max(mask.exported, version)
    except OSError as error:
        raise DataError(f"{upload.name} cannot be kept: {error.strerror}.") from error
    return {"folder": f"{training_folder.name}/{name}", "images": number, "file": file.name}


def _masks_of(upload: Upload) -> dict[str, np.ndarray]:
    """Values of the masks of an upload as they are now, by the folder that each goes to."""
    if upload.card.overlapping:
        folders = _layer_folders(upload.card.labels)
        return {
            folder: layer_values(mask.labels())
            for folder, mask in zip(folders, upload.masks, strict=True)
        }
    _, labels, objects = upload.mask.current()
    if objects is None:
        return {"masks": labels}
    ids = Instances.from_ids(objects.ids()).ids()  # without gaps
    return {"masks": labels, "instances": ids.astype(np.uint16)}


def _layer_folders(labels: Labels) -> list[str]:
    return [f"masks/{name}" for name in folder_names(labels.names)]


def _digest(files: Iterable[Path]) -> str:
    """Checksum of the content of files."""
    return "".join(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)


def _hold(files: Mapping[Path, np.ndarray]) -> bool:
    """Whether files have these values."""
    return all(np.array_equal(read_mask(file).values, values) for file, values in files.items())


def _check_classes(folder: Path, name: str, card: SemanticCard | InstanceCard) -> None:
    """Raise `ConfigError` if a data set has other classes, or they overlap in one of both alone."""
    file, labels = folder / FILE_NAMES[0], card.labels
    if not file.is_file():
        return
    described = read_description(file)
    classes, overlap = described.classes or [], described.overlap == MULTILABEL
    if classes != list(labels.names) or overlap != card.overlapping:
        raise ConfigError(
            f"The data set kept of {name} has the {_kind(overlap)} {', '.join(classes)}, and the "
            f"model the {_kind(card.overlapping)} {', '.join(labels.names)}; serve it under "
            f"another name, or with another --keep."
        )


def _kind(overlap: bool) -> str:
    return "overlapping classes" if overlap else "classes"


def _describe(folder: Path, staged: Path, card: SemanticCard | InstanceCard) -> None:
    """Write `data.yaml`, unless the data set has one."""
    if (folder / FILE_NAMES[0]).is_file():
        return
    described, ignored = described_labels(card.labels), IGNORE_LABEL
    content: dict[str, Any] = {"masks": "masks", "encoding": "indices", **described}
    if card.overlapping:
        masks = dict(zip(card.labels.names, _layer_folders(card.labels), strict=True))
        content = {key: described[key] for key in ("classes", "colors")}
        content, ignored = {"masks": masks, "overlap": MULTILABEL, **content}, LAYER_IGNORED
    content = {"images": "images", **content, "ignore": [ignored]}
    write_description(staged / FILE_NAMES[0], content, [_REMARK.format(ignored)])


def _suffix(upload: Upload) -> str:
    """Suffix by which training knows an image: its own, or that of its format."""
    suffix = Path(upload.name).suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return suffix
    format = upload.decoders.call(0, read_header, upload.image, MOST_PIXELS).format
    return _SUFFIXES.get(format, f".{format.lower()}")


def _same_image(folder: Path, file: Path) -> Path | None:
    """The image in a folder with the content of a file, under whatever name."""
    images = list_images(folder) if folder.is_dir() else []
    # Files of other sizes are told apart at once.
    return next((path for path in images if filecmp.cmp(path, file, shallow=False)), None)


def _free_stem(folder: Path, stem: str) -> str:
    """A stem that no image has; in pairing, neither case nor the suffix of a file counts."""
    images = list_images(folder / "images") if (folder / "images").is_dir() else []
    taken = {_normalize(image.stem) for image in images}
    name, number = stem, 1
    while _normalize(name) in taken:
        number += 1
        name = f"{stem}-{number}"
    return name


def _normalize(stem: str) -> str:
    return unicodedata.normalize("NFC", stem).casefold()
