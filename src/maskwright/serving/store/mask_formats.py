"""Masks, probabilities and objects as PNG, COCO JSON and GeoJSON."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import get_context
from typing import Any

import cv2
import numpy as np
from PIL import Image

from maskwright.data.geometry import outline_px
from maskwright.errors import DataError, TooLargeError
from maskwright.imageio.geo import GeoTags
from maskwright.imageio.write import palette, rows_of, write_large_mask
from maskwright.inference.large.polygons import pixel_polygons, write_polygons
from maskwright.inference.postprocess import OBJECTS, components_of
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL, Labels
from maskwright.serving.limits import DeadlineExceededError, check_deadline
from maskwright.serving.store.temporary import temporary_folder
from maskwright.tasks.instances.tables import to_coco

_QUICK_OUTLINE_PX = 2**17  # some tenths of a second
_MOST_OUTLINE_PX = 2**23  # some ten seconds, and a gigabyte of memory
_FAST = 1  # of the levels of zlib: a third of the time for some tenths more bytes


def label_png(mask: np.ndarray, labels: Labels | None = None) -> bytes:
    """Encode a mask `(h, w)` as a PNG whose values are its numbers, from 0 to 65,535.

    It has 8 bits and the colors of the `labels` as palette; without them, 16 bits.
    """
    if labels is None:
        return _png(mask.astype(np.uint16))
    image = Image.fromarray(mask.astype(np.uint8))
    image.putpalette(palette(labels.colors).tobytes())
    return as_png(image)


def probability_png(probabilities: np.ndarray, labels: Labels, shown: str | None = None) -> bytes:
    """Encode probabilities `(h, w, classes)` as a gray PNG, 255 for one.

    They are those of the class `shown`, by default of the foreground of two classes, or the most
    probable one of more. Raises `DataError` if there is no such class.
    """
    if shown is not None:
        values = probabilities[..., class_place(labels, shown)]
    elif labels.num_classes == 2:
        values = probabilities[..., 1 - (labels.background or 0)]
    else:
        values = probabilities.max(axis=-1)
    return _png((values * 255).round().astype(np.uint8))


def class_place(labels: Labels, name: str) -> int:
    """Label of a class that a client names; `DataError` if there is none."""
    if name not in labels.names:
        raise DataError(
            f"There is no class {name[:60]!r}; the model knows {', '.join(labels.names)}."
        )
    return labels.names.index(name)


def as_png(image: Image.Image) -> bytes:
    """Encode an image as PNG, fast."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=_FAST)
    return file.getvalue()


def _png(values: np.ndarray) -> bytes:
    encoded, data = cv2.imencode(".png", values, [cv2.IMWRITE_PNG_COMPRESSION, _FAST])
    if not encoded:
        raise DataError(f"A mask of {values.shape} pixels cannot be written as PNG.")
    return data.tobytes()


def coco(
    name: str, mask: np.ndarray, objects: Instances | None, labels: Labels, background: int | None
) -> Any:
    """COCO JSON of one image: an annotation for each object; for `None`, each component."""
    if objects is None:
        objects = mask_components(mask, background)
    return to_coco([(name, objects)], labels, background)


def mask_components(mask: np.ndarray, background: int | None) -> Instances:
    """Components of the classes of a mask `(h, w)`, connected at sides and corners.

    Raises `TooLargeError` if the outlines of the mask are too long.
    """
    _checked_outline_px(mask)
    ids = np.zeros(mask.shape, np.int32)
    classes: list[int] = []
    for label in np.unique(mask).tolist():
        if label in (background, IGNORE_LABEL):
            continue
        check_deadline()
        count, components, *_ = components_of(mask == label, OBJECTS)
        inside = components > 0
        ids[inside] = components[inside] + len(classes)
        classes += [label] * (count - 1)
    return replace(Instances.from_ids(ids), labels=np.array(classes, np.int32))


def polygons(
    mask: np.ndarray, labels: Labels, background: int | None, geo: GeoTags | None = None
) -> bytes:
    """GeoJSON of the components of a mask, connected at sides; see `write_polygons`.

    The mask is `(h, w)`, or `(h, w, classes)` where they overlap. Raises `TooLargeError` if its
    outlines are too long.
    """
    planes = np.moveaxis(np.atleast_3d(mask.astype(np.uint8, copy=False)), -1, 0)
    outlines = sum(map(_checked_outline_px, planes))
    if geo is None and outlines <= _QUICK_OUTLINE_PX:
        return json.dumps(pixel_polygons(mask, labels, background)).encode()
    with temporary_folder() as folder:
        files, out = [folder / f"{n}.tif" for n in range(len(planes))], folder / "polygons.geojson"
        is_layers = mask.ndim == 3
        for file, plane in zip(files, planes, strict=True):
            colors = None if is_layers else labels.colors
            size = (mask.shape[0], mask.shape[1])
            write_large_mask(file, rows_of(plane), size, colors, geo)
        # GDAL lets no other thread of Python run while it follows outlines.
        masks = files if is_layers else files[0]
        _call_in_process(write_polygons, masks, out, labels, background)
        return out.read_bytes()


def _call_in_process(function: Callable[..., Any], *args: Any) -> None:
    """Call a function of a module in a new process; it is killed at the deadline of the caller."""
    process = get_context("spawn").Process(target=function, args=args, daemon=True)
    process.start()
    try:
        process.join(check_deadline())
        if process.exitcode is None:
            raise DeadlineExceededError
        if process.exitcode:
            raise DataError("The file could not be made; the log of the server names the reason.")
    finally:
        process.kill()
        process.join()
        process.close()


def _checked_outline_px(mask: np.ndarray) -> int:
    """`outline_px` of a mask; `TooLargeError` for more than a file can hold."""
    outlines = outline_px(mask)
    if outlines > _MOST_OUTLINE_PX:
        raise TooLargeError(
            f"The outlines of the mask are {outlines:,} pixels long; expected at most "
            f"{_MOST_OUTLINE_PX:,}: clean it with a larger minimum area, or download the mask."
        )
    return outlines
