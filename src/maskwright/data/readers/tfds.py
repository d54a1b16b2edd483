"""Reader of TensorFlow Datasets, which writes them once as PNG files with a manifest."""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.encodings.class_map import PETS
from maskwright.data.readers.base import Place, Reader, Recognition
from maskwright.data.readers.conversion import convert
from maskwright.data.readers.manifest import write_described
from maskwright.data.samples import Note, Sample
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import write_image

_PREFIX = "tfds:"
_MASK_KEY = re.compile(r"mask|seg|label_image|annotation|trimap", re.IGNORECASE)
_INSTANCE_KEY = re.compile(r"instance|object", re.IGNORECASE)


def _recognize(place: Place) -> Recognition | None:
    if not place.source.startswith(_PREFIX):
        return None
    return Recognition(1.0, _PREFIX, partial(_convert, place))


TFDS = Reader("TensorFlow Datasets", f"{_PREFIX}NAME", _recognize)


def _convert(place: Place) -> Place:
    """Download and write a data set as PNG with a manifest, unless it is there.

    The image feature is the one called `image`, else the first; the mask feature is the first whose
    name says so. `ConfigError` without TensorFlow Datasets, or for a name that it does not know;
    `DataError` where the data cannot be downloaded.
    """
    return convert(place, TFDS.name, 1, [], partial(_prepare, place.source))


def _prepare(source: str, folder: Path) -> list[Note]:
    name = source.removeprefix(_PREFIX)
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ConfigError(
            f"{source} needs TensorFlow Datasets, which cannot be imported ({error}); run `pip "
            f"install maskwright[tfds]`."
        ) from None
    try:
        builder = tfds.builder(name)
    except ValueError as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise ConfigError(f"TensorFlow Datasets cannot open {name!r}: {reason}.") from None
    keys = _keys(name, builder.info.features)
    with redirect_stdout(sys.stderr), _quiet():  # standard output is for results
        try:
            builder.download_and_prepare()
        except Exception as error:  # of the network, of archives, of scripts of data sets
            raise DataError(
                f"{source} cannot be downloaded ({_root_cause(error)}); check the connection and "
                f"try again, or put the prepared data set into {builder.data_path}."
            ) from None
    samples = [
        _write(folder, split, number, example, keys, builder.info.features)
        for split in builder.info.splits
        for number, example in enumerate(tfds.as_numpy(builder.as_dataset(split=split)))
    ]
    names = getattr(builder.info.features[keys[1]], "names", None)
    if builder.name == "oxford_iiit_pet":
        names = [entry.name for entry in PETS.entries]
    stated = {"classes": list(names)} if names else {}
    write_described(folder, samples, stated, [f"Made from {source}."])
    return []


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the warnings on each retry of a download off the terminal."""
    loggers = [logging.getLogger(name) for name in ("urllib3", "absl")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _root_cause(error: BaseException) -> str:
    """First line of the error at the start of a chain."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200].rstrip(".")


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
