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
from maskwright.imageio.geotags import GeoTags
from maskwright.imageio.header import start_of
from maskwright.imageio.tiff import TIFF_MAGIC
from maskwright.imageio.windows import open_windows
from maskwright.imageio.write import write_large_mask
from maskwright.inference.postprocess import OBJECTS, components_of
from maskwright.inference.predictor import Segmenter
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL
from maskwright.serving.jobs.job_queue import room_for
from maskwright.serving.jobs.run_inference import mask_file, numbered
from maskwright.serving.limits import check_time
from maskwright.serving.routes import responses as answers
from maskwright.serving.store.tile_pyramid import reduced_picture
from maskwright.serving.store.upload import Upload
from maskwright.tasks.instances import InstancePredictor
from maskwright.tasks.instances.drawing import draw_objects

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
    """Every file of several uploads in one zip, a folder for each; a file without a name.

    What is too large to be made is named in `left-out.txt`, with the reason.
    """
    room_for(max(upload.size[0] * upload.size[1] for upload in uploads))
    file = tempfile.TemporaryFile()  # noqa: SIM115  # closed when it was sent
    taken: set[str] = set()
    left_out = ""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_FAST) as packed:
        for upload in uploads:
            folder = unique(stem_of(upload.name), taken)
            for kind in DOWNLOADS.values():
                check_time()
                place = f"{folder}/{kind.name}"
                try:
                    packed.writestr(place, download(upload, kind, max_pixels))
                except TooLargeError as error:
                    left_out += f"{place}: {error}\n"
        if left_out:
            packed.writestr("left-out.txt", left_out)
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
    if upload.objects is None or not isinstance(segmenter, InstancePredictor):
        return None
    if not upload.changed:
        return segmenter.kept(upload.objects)
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
    """A label TIFF, which says where on Earth it lies where the image does."""
    if not upload.changed:
        return mask_file(upload.folder).read_bytes()
    labels = _labels(upload, max_pixels)
    with tempfile.TemporaryDirectory(dir=upload.folder) as folder:
        mask = Path(folder) / "mask.tif"
        colors = _segmenter(upload).card.labels.colors
        geo = _geo(upload, max_pixels)
        write_large_mask(mask, lambda top, end: labels[top:end], upload.size, colors, geo)
        return mask.read_bytes()


def _polygons(upload: Upload, max_pixels: int) -> bytes:
    card = _segmenter(upload).card
    labels = _labels(upload, max_pixels)
    return answers.polygons(labels, card.labels, card.background, _geo(upload, max_pixels))


def _geo(upload: Upload, max_pixels: int) -> GeoTags | None:
    """Where on Earth an image lies."""
    if not start_of(upload.file).startswith(TIFF_MAGIC):
        return None
    with open_windows(upload.file, max_pixels) as windows:
        return windows.geo


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
    mask, card = _labels(upload, max_pixels), _segmenter(upload).card
    objects = present_objects(upload, mask)
    counted = max(int(np.count_nonzero(mask != IGNORE_LABEL)), 1)
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    last = "pieces" if objects is None else "objects"
    writer.writerow(["label", "class", "area_px", "share", last])
    for label, name in enumerate(card.labels.names):
        own = mask == label
        area, number = np.count_nonzero(own), ""
        if label != card.background and objects is None:
            number = str(components_of(own, OBJECTS)[0] - 1)
        elif label != card.background and objects is not None:
            number = str(np.count_nonzero(objects.labels == label))
        writer.writerow([label, name, area, f"{area / counted:.6f}", number])
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
