"""Reader of TensorFlow Datasets, which writes them once as PNG files with a manifest."""

import re
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.encodings.class_map import PETS
from maskwright.data.readers.base import Place, Reader, Recognition
from maskwright.data.readers.manifest import MANIFEST_NAME, cache_folder, write_described
from maskwright.data.samples import Sample
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import atomic_folder, write_image

_PREFIX = "tfds:"
_MASK_KEY = re.compile(r"mask|seg|label_image|annotation|trimap", re.IGNORECASE)
_INSTANCE_KEY = re.compile(r"instance|object", re.IGNORECASE)


def _recognize(place: Place) -> Recognition | None:
    if not place.source.startswith(_PREFIX):
        return None
    name = place.source.removeprefix(_PREFIX)
    return Recognition(1.0, _PREFIX, lambda: Place(str(_convert(name))))


TFDS = Reader("TensorFlow Datasets", f"{_PREFIX}NAME", "", _recognize)


def _convert(name: str) -> Path:
    """Folder of a data set as PNG with a manifest and a data.yaml, written by the first call.

    The image feature is the one called `image`, else the first; the mask feature is the first whose
    name says so. `ConfigError` without TensorFlow Datasets, or for a name that it does not know.
    """
    folder = cache_folder("tfds") / re.sub(r"[^\w.\-]+", "_", name)
    if (folder / MANIFEST_NAME).is_file():
        return folder
    try:
        import tensorflow_datasets as tfds
    except ImportError:
        raise ConfigError(
            f"{_PREFIX}{name} needs TensorFlow Datasets, which is not installed; run "
            f"`pip install maskwright[tfds]`."
        ) from None
    try:
        builder = tfds.builder(name)
    except ValueError as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise ConfigError(f"TensorFlow Datasets cannot open {name!r}: {reason}.") from None
    keys = _keys(name, builder.info.features)
    with redirect_stdout(sys.stderr):  # standard output is for results
        builder.download_and_prepare()
    with atomic_folder(folder) as beside:
        samples = [
            _write(beside, split, number, example, keys, builder.info.features)
            for split in builder.info.splits
            for number, example in enumerate(tfds.as_numpy(builder.as_dataset(split=split)))
        ]
        names = getattr(builder.info.features[keys[1]], "names", None)
        if builder.name == "oxford_iiit_pet":
            names = [entry.name for entry in PETS.entries]
        stated = {"classes": list(names)} if names else {}
        write_described(beside, samples, stated, [f"Made from {_PREFIX}{name}."])
    return folder


def _keys(name: str, features: Any) -> tuple[str, str]:
    """Names of the image and the mask among the features."""
    pictures = [key for key, feature in features.items() if len(feature.shape or ()) == 3]
    masks = [key for key in pictures if _MASK_KEY.search(key)]
    masks.sort(key=lambda key: bool(_INSTANCE_KEY.search(key)))
    images = [key for key in pictures if key not in masks]
    if not masks or not images:
        raise DataError(
            f"{_PREFIX}{name} has the features {', '.join(features)}; expected an image and, under "
            f"a name such as segmentation_mask, a mask."
        )
    return "image" if "image" in images else images[0], masks[0]


def _write(
    folder: Path, split: str, number: int, example: Any, keys: tuple[str, str], features: Any
) -> Sample:
    name = example.get("file_name", example.get("image/filename", b""))
    stem = Path(name.decode("utf-8", "replace") if isinstance(name, bytes) else "").stem
    stem = re.sub(r"[^\w.\-]+", "_", stem) or f"{number:06d}"
    image = folder / "images" / split / f"{stem}.png"
    if image.exists():  # names need not be unique in TensorFlow Datasets
        stem = f"{stem}-{number}"
        image = image.with_stem(stem)
    mask = folder / "masks" / split / f"{stem}.png"
    pixels = example[keys[0]]
    if pixels.dtype not in (np.uint8, np.uint16) or pixels.shape[2] not in (1, 3):
        image = image.with_suffix(".tif")
    write_image(image, pixels)
    write_image(mask, example[keys[1]])
    kind: Any = dict(features).get("label")
    label = kind.int2str(int(example["label"])) if hasattr(kind, "int2str") else None
    return Sample(stem, image, (mask,), stem, split, label)
