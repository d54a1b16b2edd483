"""Masks of the page as files: of one image in every format, and archives of several images."""

import json
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
from PIL import Image

from maskwright.display.objects import draw_objects
from maskwright.errors import ConfigError, TooLargeError
from maskwright.imageio import table_text
from maskwright.imageio.write import rows_of, write_large_mask
from maskwright.instances import Instances
from maskwright.serving.jobs.fair_pool import need_pixels
from maskwright.serving.jobs.run_inference import decisions_now
from maskwright.serving.limits import check_deadline
from maskwright.serving.store.areas import Rows, area_rows
from maskwright.serving.store.layer_exports import layer_files, layers_tif, layers_zip
from maskwright.serving.store.layer_formats import layers_coco
from maskwright.serving.store.mask_formats import as_png, coco, label_png, polygons
from maskwright.serving.store.tile_pyramid import reduced_picture
from maskwright.serving.store.upload import Upload

_FAST = 1  # of the levels of zlib
_LEFT_OUT = "left-out.txt"
_LAYERS = "masks.zip"

T = TypeVar("T")
Encode = Callable[[Upload, np.ndarray, int], T]
"""From an upload, its `labels` and the most pixels that are decoded at once to a file."""


def exporter(upload: Upload, max_pixels: int) -> Callable[[Encode[T]], T]:
    """Function that encodes the mask of an upload as it is now, once for all formats.

    It raises `TooLargeError` for an image that is too large for a format.
    """
    need_pixels(upload.pixels * len(upload.layers))
    labels, versions = cache(upload.labels), [mask.version for mask in upload.masks]

    def export(encode: Encode[T]) -> T:
        check_deadline()
        with upload.in_use():
            edited = any(mask.has_strokes for mask in upload.masks)
            whole = encode is _mask_tif and not edited  # it is there, as a file
            if not whole and upload.pixels > max_pixels:
                raise TooLargeError(
                    f"The image has {upload.size[1]}x{upload.size[0]} pixels, and this format is "
                    f"written up to {max_pixels:,} pixels; download mask.tif, or use "
                    f"`maskwright predict`."
                )
            data = encode(upload, np.empty((0, 0)) if whole else labels(), max_pixels)
        if encode in _HOLD_THE_MASK:
            for mask, version in zip(upload.masks, versions, strict=True):
                mask.exported = max(mask.exported, version)
        return data

    return export


def archive(uploads: Sequence[Upload], max_pixels: int, missing: int = 0) -> tuple[IO[bytes], int]:
    """All formats of several uploads in one zip, a folder for each, as a temporary file.

    Tables of all images stand beside the folders. What could not be written is listed in
    `left-out.txt`, with the reason, and counted; `missing` images are not stored any longer.
    """
    need_pixels(max(upload.pixels * len(upload.layers) for upload in uploads))
    file = tempfile.TemporaryFile()  # noqa: SIM115  # closed when it was sent
    taken: set[str] = set()
    skipped = ["An image is no longer on the server; add it again."] * missing
    tables: dict[str, Rows] = defaultdict(list)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_FAST) as packed:
        for upload in uploads:
            folder, export = _unique(upload.stem, taken), exporter(upload, max_pixels)
            names = {"folder": folder, "image": upload.name, "model": upload.served.name}
            for name in _offered(upload):
                try:
                    if name == _LAYERS:
                        for file_name, content in export(layer_files).items():
                            packed.writestr(f"{folder}/masks/{file_name}", content)
                        continue
                    packed.writestr(f"{folder}/{name}", export(DOWNLOADS[name][1]))
                    if name in _TABLES:
                        tables[name] += [names | row for row in export(_TABLES[name])]
                except TooLargeError as error:
                    skipped.append(f"{folder}/{name}: {error}")
        for name, rows in tables.items():
            packed.writestr(name, _csv(rows))
        if skipped:
            packed.writestr(_LEFT_OUT, "\n".join(skipped))
    return file, len(skipped)


def _offered(upload: Upload) -> list[str]:
    """Names of the files that there are of an upload."""
    missing = {"mask.png" if upload.card.overlapping else _LAYERS}
    if upload.served.classifier is None:
        missing |= set(_REGION_TABLES)
    return [name for name in DOWNLOADS if name not in missing]


def _unique(stem: str, taken: set[str]) -> str:
    """The name, with a number behind it if it is taken; adds the result to `taken`."""
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name.casefold())
    return name


def _mask_png(upload: Upload, labels: np.ndarray, _: int) -> bytes:
    if upload.card.overlapping:
        raise ConfigError(
            f"The classes of {upload.name} overlap: download {_LAYERS}, with a PNG of each, or "
            f"mask.tif, with a page of each."
        )
    objects = upload.mask.objects(labels)
    return label_png(labels, upload.card.labels) if objects is None else label_png(objects.ids())


def _mask_tif(upload: Upload, labels: np.ndarray, _: int) -> bytes:
    """A label TIFF, with the georeference of the image if it has one."""
    if upload.card.overlapping:
        return layers_tif(upload, labels if labels.size else None)
    mask, colors = upload.mask, upload.card.labels.colors
    if not mask.has_strokes:
        return mask.file().read_bytes()
    with tempfile.TemporaryDirectory(dir=upload.folder) as folder:
        file = Path(folder) / "mask.tif"
        write_large_mask(file, rows_of(labels), upload.size, colors, mask.geo, mask.has_gaps)
        return file.read_bytes()


def _polygons(upload: Upload, labels: np.ndarray, _: int) -> bytes:
    card = upload.card
    return polygons(labels, card.labels, card.background, upload.masks[0].geo)


def _overlay_png(upload: Upload, labels: np.ndarray, max_pixels: int) -> bytes:
    """The mask over the image, in the size of the grid."""
    grid, pyramid = upload.grid, upload.pyramid
    with upload.open_windows(max_pixels) as windows:
        span = None if pyramid is None else pyramid.span
        picture = reduced_picture(windows, span, (grid.height, grid.width))
    objects = upload.masks[0].objects(labels)
    if objects is None:
        overlay = upload.card.labels.overlay(picture, grid.sample(labels))
    elif grid.scale == 1:
        overlay = draw_objects(picture, objects)
    else:
        overlay = draw_objects(picture, Instances.from_ids(grid.sample(objects.ids())))
    return as_png(Image.fromarray(overlay))


def _coco_json(upload: Upload, labels: np.ndarray, _: int) -> bytes:
    card = upload.card
    if card.overlapping:
        return layers_coco(upload.name, labels, card.labels)
    objects = upload.mask.objects(labels)
    return json.dumps(coco(upload.name, labels, objects, card.labels, card.background)).encode()


def _decision_rows(upload: Upload, _: np.ndarray, max_pixels: int) -> Rows:
    """Decisions on the mask as it is now."""
    decisions = decisions_now(upload, max_pixels).decisions
    rows = [{**row, "images": " ".join(row["images"])} for row in decisions]
    return [{key: value for key, value in row.items() if key != "answer_set"} for row in rows]


def _region_rows(upload: Upload, _: np.ndarray, max_pixels: int) -> Rows:
    """Regions of the mask as it is now, with the probability of each."""
    sides = ("left", "top", "width", "height")
    rows = decisions_now(upload, max_pixels).regions
    return [
        {key: value for key, value in row.items() if key != "box"}
        | dict(zip(sides, row["box"], strict=True))
        for row in rows
    ]


def _csv(rows: Rows) -> bytes:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return table_text(columns, [[row.get(name, "") for name in columns] for row in rows]).encode()


_REGION_TABLES: Mapping[str, Encode[Rows]] = {
    "decisions.csv": _decision_rows,
    "regions.csv": _region_rows,
}
_TABLES: Mapping[str, Encode[Rows]] = {"areas.csv": area_rows, **_REGION_TABLES}


def _table(name: str) -> Encode[bytes]:
    return lambda *args: _csv(_TABLES[name](*args))


DOWNLOADS: Mapping[str, tuple[str, Encode[bytes]]] = {
    "mask.png": ("image/png", _mask_png),
    _LAYERS: ("application/zip", layers_zip),
    "mask.tif": ("image/tiff", _mask_tif),
    "overlay.png": ("image/png", _overlay_png),
    "coco.json": ("application/json", _coco_json),
    "polygons.geojson": ("application/geo+json", _polygons),
    **{name: ("text/csv", _table(name)) for name in _TABLES},
}
"""Media type and function of each format, by the name of its file."""

_HOLD_THE_MASK = (_mask_png, _mask_tif, layers_zip, layer_files, _coco_json, _polygons)
