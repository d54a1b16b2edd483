"""What a model found, as files and as JSON."""

import io
import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from maskwright.errors import DataError, TooLargeError
from maskwright.imageio.geotags import GeoTags
from maskwright.imageio.write import palette, write_large_mask
from maskwright.inference.large.polygons import pixel_polygons, write_polygons
from maskwright.inference.postprocess import OBJECTS, components_of
from maskwright.inference.predictor import Prediction
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL, Labels
from maskwright.serving.jobs.subprocess_pool import run_apart
from maskwright.serving.limits import check_time
from maskwright.tasks.instances.coco_json import to_coco
from maskwright.tasks.regions.pipeline import CaseResult

_QUICK_OUTLINE_PX = 2**17  # some tenths of a second
_MOST_OUTLINE_PX = 2**23  # some ten seconds, and a gigabyte of memory
_FAST = 1  # of the levels of zlib: a third of the time for some tenths more bytes


def label_png(mask: np.ndarray, labels: Labels | None = None) -> bytes:
    """Mask `(h, w)` as a PNG whose values are its numbers: 16 bits where one exceeds 255.

    Args:
        mask: Whole numbers from 0 to 65,535.
        labels: Of the classes, for a palette to show them in; `None` for the numbers of objects,
            which always take 16 bits.
    """
    if labels is None:
        return _png(mask.astype(np.uint16))
    image = Image.fromarray(mask.astype(np.uint8))
    image.putpalette(palette(labels.colors).tobytes())
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=_FAST)
    return file.getvalue()


def probability_png(probabilities: np.ndarray, labels: Labels, shown: str | None = None) -> bytes:
    """Probabilities `(h, w, classes)` as a gray PNG, 255 for one.

    Args:
        probabilities: In [0, 1].
        labels: Names of the classes.
        shown: Class whose probability it is; left out, with two classes that of the foreground,
            with more that of the most probable one.

    Raises:
        DataError: If there is no such class.
    """
    if shown is not None:
        if shown not in labels.names:
            raise DataError(
                f"There is no class {shown[:60]!r}; the model knows {', '.join(labels.names)}."
            )
        values = probabilities[..., labels.names.index(shown)]
    elif labels.num_classes == 2:
        values = probabilities[..., 1 - (labels.background or 0)]
    else:
        values = probabilities.max(axis=-1)
    return _png((values * 255).round().astype(np.uint8))


def _png(values: np.ndarray) -> bytes:
    done, data = cv2.imencode(".png", values, [cv2.IMWRITE_PNG_COMPRESSION, _FAST])
    if not done:
        raise DataError(f"A mask of {values.shape} pixels cannot be written as PNG.")
    return data.tobytes()


def coco(name: str, found: np.ndarray | Instances, labels: Labels, background: int | None) -> Any:
    """COCO's JSON of one image: an annotation for each object, or each piece of a class.

    Args:
        name: Of the image.
        found: Objects; or labels `(h, w)`, whose pieces touch at sides or corners.
        labels: Names of the classes.
        background: Class that is left out, or `None`.
    """
    objects = found if isinstance(found, Instances) else pieces(found, background)
    return to_coco([(name, objects)], labels, background)


def pieces(mask: np.ndarray, background: int | None) -> Instances:
    """Connected pieces of the classes of a mask `(h, w)`, class after class."""
    _outline_px(mask)
    parts: list[np.ndarray] = []
    classes: list[int] = []
    boxes: list[tuple[int, int, int, int]] = []
    for label in np.unique(mask).tolist():
        if label in (background, IGNORE_LABEL):
            continue
        count, components, statistics, _ = components_of(mask == label, OBJECTS)
        for number in range(1, count):
            check_time()
            left, top, width, height = statistics[number, : cv2.CC_STAT_AREA].tolist()
            box = np.s_[top : top + height, left : left + width]
            parts.append(components[box] == number)
            classes.append(label)
            boxes.append((top, left, top + height, left + width))
    return Instances(
        (mask.shape[0], mask.shape[1]),
        np.array(classes, np.int32),
        np.array(boxes, np.int32).reshape(-1, 4),
        tuple(parts),
        np.zeros(len(parts), bool),
    )


def polygons(
    mask: np.ndarray, labels: Labels, background: int | None, geo: GeoTags | None = None
) -> bytes:
    """GeoJSON of the regions of a mask, connected at sides; see `write_polygons`.

    Args:
        mask: Labels `(h, w)`.
        labels: Names of the classes.
        background: Class that is left out, or `None`.
        geo: Where on Earth the mask lies.

    Raises:
        TooLargeError: If the mask has more pieces than anybody could use.
    """
    mask = mask.astype(np.uint8, copy=False)
    outlines = _outline_px(mask)
    if geo is None and outlines <= _QUICK_OUTLINE_PX:
        return json.dumps(pixel_polygons(mask, labels, background)).encode()
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "mask.tif", Path(folder) / "polygons.geojson"
        size = (mask.shape[0], mask.shape[1])
        write_large_mask(file, lambda top, end: mask[top:end], size, labels.colors, geo)
        # GDAL lets no other thread of Python run while it follows outlines.
        run_apart(write_polygons, file, out, labels, background)
        return out.read_bytes()


def _outline_px(mask: np.ndarray) -> int:
    """Sides of pixels between two classes; `TooLargeError` for more than anybody could use."""
    across = np.count_nonzero(mask[:, 1:] != mask[:, :-1])
    outlines = int(across + np.count_nonzero(mask[1:] != mask[:-1]))
    if outlines > _MOST_OUTLINE_PX:
        raise TooLargeError(
            f"The outlines of the mask are {outlines:,} pixels long, and files of its pieces are "
            f"made up to {_MOST_OUTLINE_PX:,}; clean it with a larger least area, or take the mask."
        )
    return outlines


def decisions(results: Iterable[CaseResult]) -> list[dict[str, Any]]:
    """What was decided, as plain values; without a region to look at, nothing is."""
    return [
        {
            "name": result.id,
            "images": list(result.images),
            "probability": None if result.probability is None else round(result.probability, 6),
            "decision": result.decision,
        }
        for result in results
    ]


def regions(
    results: Iterable[CaseResult], drawn: Mapping[str, Prediction], labels: Labels | None
) -> list[dict[str, Any]]:
    """What was looked at, as plain values.

    Args:
        results: Of a pipeline.
        drawn: What its segmenter drew, by the name of the image; nothing where masks were given.
        labels: Names of the classes of the segmenter.
    """
    return [
        _region(result, place, drawn.get(region.image_id), labels)
        for result in results
        for place, region in enumerate(result.regions)
    ]


def _region(
    result: CaseResult, place: int, drawn: Prediction | None, labels: Labels | None
) -> dict[str, Any]:
    region = result.regions[place]
    top, left, bottom, right = region.box
    label, name = region.label, None
    if drawn is not None and labels is not None:
        # An object knows its number alone; its class is the one of most of its pixels.
        own = drawn.labels[top:bottom, left:right][region.mask]
        label = int(np.bincount(own).argmax())
        name = labels.names[label]
    return {
        "name": region.name,
        "image": region.image_id,
        "class": name,
        "label": label,
        "box": [left, top, right - left, bottom - top],
        "area_px": region.area_px,
        "probability": _at(result.region_probabilities, place),
        "weight": _at(result.weights, place),
    }


def _at(values: np.ndarray | None, place: int) -> float | None:
    return None if values is None else round(float(values[place]), 6)
