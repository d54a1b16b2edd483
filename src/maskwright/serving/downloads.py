"""Masks of the page as files: of one image, or of several in an archive."""

import csv
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from maskwright.errors import TooLargeError
from maskwright.imageio.header import start_of
from maskwright.imageio.tiff import TIFF_MAGIC
from maskwright.imageio.windows import open_windows
from maskwright.imageio.write import write_large_mask
from maskwright.inference.polygons import write_polygons
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL, Labels
from maskwright.objects.drawing import draw_objects
from maskwright.objects.segmenter import ObjectSegmenter, Segmenter
from maskwright.serving import answers
from maskwright.serving.desk import room_for
from maskwright.serving.finding import mask_file, numbered
from maskwright.serving.limits import check_time
from maskwright.serving.pictures import reduced_picture
from maskwright.serving.uploads import Upload

_FAST = 1  # of the levels of zlib
_LONGEST_STEM_BYTES = 160  # most file systems take 255 for a whole name


@dataclass(frozen=True)
class Download:
    """One kind of file.

    Args:
        name: At the end of its address and of its own name.
        media_type: Of its content.
        make: From an upload and the most pixels that are decoded at once to the content.
    """

    name: str
    media_type: str
    make: Callable[[Upload, int], bytes]


def download(upload: Upload, kind: Download, max_pixels: int) -> bytes:
    """A file of the mask of an upload, as it is now.

    Raises:
        TooLargeError: If the image is too large for a file of this kind.
    """
    room_for(upload.size[0] * upload.size[1])
    with upload.in_use():
        return kind.make(upload, max_pixels)


def stem_of(name: str) -> str:
    """Name of an upload without its ending, such as any file system takes, and no hidden one."""
    stem = re.sub(r'[\\/:*?"<>|\x00-\x1f]', "_", Path(name).stem)
    short = stem.encode()[:_LONGEST_STEM_BYTES].decode(errors="ignore")
    return short.strip(" .") or "image"


def archive(uploads: Sequence[Upload], max_pixels: int) -> IO[bytes]:
    """Every file of several uploads in one zip, a folder for each; a file without a name."""
    room_for(max(upload.size[0] * upload.size[1] for upload in uploads))
    file = tempfile.TemporaryFile()  # noqa: SIM115  # closed when it was sent
    taken: set[str] = set()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_FAST) as packed:
        for upload in uploads:
            folder = unique(stem_of(upload.name), taken)
            for kind in DOWNLOADS.values():
                check_time()
                packed.writestr(f"{folder}/{kind.name}", download(upload, kind, max_pixels))
    file.seek(0)
    return file


def unique(stem: str, taken: set[str]) -> str:
    """A name that is not taken, the same or with a number behind it; it is taken from now on."""
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name.casefold())
    return name


def present_objects(upload: Upload, labels: np.ndarray) -> Instances | None:
    """Objects of a mask as it is now; `None` where the model tells none apart.

    Those of the model overlap and have scores; of a corrected mask they do not.
    """
    segmenter = upload.served.segmenter
    if upload.objects is None or not isinstance(segmenter, ObjectSegmenter):
        return None
    if not upload.changed:
        return segmenter.finder.kept(upload.objects)
    return Instances.from_ids(numbered(labels, upload.objects), labels)


def _labels(upload: Upload, max_pixels: int) -> np.ndarray:
    height, width = upload.size
    if height * width > max_pixels:
        raise TooLargeError(
            f"The image has {width}x{height} pixels, and a file of this kind is made up to "
            f"{max_pixels:,} pixels; take mask.tif, or `maskwright predict`."
        )
    return upload.labels()


def _segmenter(upload: Upload) -> Segmenter:
    segmenter = upload.served.segmenter
    if segmenter is None:
        raise LookupError(f"{upload.served.name} draws no masks.")
    return segmenter


def _mask_png(upload: Upload, max_pixels: int) -> bytes:
    labels = _labels(upload, max_pixels)
    objects = present_objects(upload, labels)
    if objects is not None:
        return answers.label_png(objects.ids())
    return answers.label_png(labels, _segmenter(upload).card.labels)


def _mask_tif(upload: Upload, max_pixels: int) -> bytes:
    return _with_tif(upload, max_pixels, Path.read_bytes)


def _polygons(upload: Upload, max_pixels: int) -> bytes:
    card = _segmenter(upload).card

    def make(mask: Path) -> bytes:
        with tempfile.TemporaryDirectory(dir=upload.folder) as folder:
            out = Path(folder) / "polygons.geojson"
            write_polygons(mask, out, card.labels, card.background)
            return out.read_bytes()

    return _with_tif(upload, max_pixels, make)


def _with_tif(upload: Upload, max_pixels: int, use: Callable[[Path], bytes]) -> bytes:
    """What a function makes of the mask as a label TIFF, which says where on Earth it lies."""
    if not upload.changed:
        return use(mask_file(upload.folder))
    labels = _labels(upload, max_pixels)
    geo = None
    if start_of(upload.file).startswith(TIFF_MAGIC):
        with open_windows(upload.file, max_pixels) as windows:
            geo = windows.geo
    colours = _segmenter(upload).card.labels.colours
    with tempfile.TemporaryDirectory(dir=upload.folder) as folder:
        mask = Path(folder) / "mask.tif"
        write_large_mask(mask, lambda top, end: labels[top:end], upload.size, colours, geo)
        return use(mask)


def _overlay_png(upload: Upload, max_pixels: int) -> bytes:
    """The mask over the picture, in the size of the grid."""
    labels = _labels(upload, max_pixels)
    grid, pyramid = upload.grid, upload.pyramid
    with open_windows(upload.file, max_pixels) as windows:
        span = None if pyramid is None else pyramid.span
        picture = reduced_picture(windows, span, (grid.height, grid.width))
    objects = present_objects(upload, labels)
    if objects is None:
        shown = _segmenter(upload).card.labels.overlay(picture, grid.sample(labels))
    elif grid.scale == 1:
        shown = draw_objects(picture, objects)
    else:
        shown = draw_objects(picture, Instances.from_ids(grid.sample(objects.ids())))
    file = io.BytesIO()
    Image.fromarray(shown).save(file, "PNG", compress_level=_FAST)
    return file.getvalue()


def _coco_json(upload: Upload, max_pixels: int) -> bytes:
    labels, card = _labels(upload, max_pixels), _segmenter(upload).card
    objects = present_objects(upload, labels)
    found = labels if objects is None else objects
    return json.dumps(answers.coco(upload.name, found, card.labels, card.background)).encode()


def _areas_csv(upload: Upload, max_pixels: int) -> bytes:
    """Pixels, share and pieces, or objects, of every class."""
    labels, card = _labels(upload, max_pixels), _segmenter(upload).card
    names: Labels = card.labels
    objects = present_objects(upload, labels)
    found = answers.pieces(labels, card.background) if objects is None else objects
    counts = np.bincount(found.labels, minlength=names.num_classes)
    areas = [int(np.count_nonzero(labels == label)) for label in range(names.num_classes)]
    counted = labels.size - int(np.count_nonzero(labels == IGNORE_LABEL))
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(
        ["label", "class", "area_px", "share", "pieces" if objects is None else "objects"]
    )
    for label, name in enumerate(names.names):
        pieces = "" if label == card.background else int(counts[label])
        writer.writerow(
            [label, name, areas[label], f"{areas[label] / max(counted, 1):.6f}", pieces]
        )
    return file.getvalue().encode()


DOWNLOADS: Mapping[str, Download] = {
    kind.name: kind
    for kind in (
        Download("mask.png", "image/png", _mask_png),
        Download("mask.tif", "image/tiff", _mask_tif),
        Download("overlay.png", "image/png", _overlay_png),
        Download("coco.json", "application/json", _coco_json),
        Download("polygons.geojson", "application/geo+json", _polygons),
        Download("areas.csv", "text/csv", _areas_csv),
    )
}
"""What can be downloaded, by name."""
