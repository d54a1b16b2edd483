"""Masks of the page to download: of one image in every format, and archives of several images."""

import csv
import io
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Annotated
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse
from PIL import Image

from maskwright.errors import TooLargeError
from maskwright.imageio.geo import GeoTags
from maskwright.imageio.header import start_of
from maskwright.imageio.tiff import TIFF_MAGIC
from maskwright.imageio.windows import open_windows
from maskwright.imageio.write import write_large_mask
from maskwright.inference.postprocess import OBJECTS, components_of
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL
from maskwright.serving.jobs.job_queue import JobQueue, wait_if_large
from maskwright.serving.limits import check_deadline
from maskwright.serving.routes.requests import file_response
from maskwright.serving.store.image_store import ImageStore
from maskwright.serving.store.mask_formats import as_png, coco, label_png, polygons
from maskwright.serving.store.tile_pyramid import reduced_picture
from maskwright.serving.store.upload import Upload
from maskwright.tasks.instances.drawing import draw_objects

_FAST = 1  # of the levels of zlib
_ARCHIVE_TIMES = 10  # an archive of many images may take so much longer than one answer


Encode = Callable[[Upload, np.ndarray, int], bytes]
"""From an upload, its labels `(h, w)` and the most pixels that are decoded at once to a file."""


def download_routes(images: ImageStore, queue: JobQueue) -> APIRouter:
    """`/api/images/{id}/NAME` for the name of every format, and `/api/archive.zip`."""
    routes, limits = APIRouter(prefix="/api"), queue.limits

    def add(name: str, media_type: str) -> None:
        @routes.get(f"/images/{{id}}/{name}", name=name, **file_response(media_type))
        async def download_mask(id: str) -> Response:
            """The mask as it is now, corrected or as predicted."""
            upload = images.finished(id)
            data = await queue.run(download, upload, name, limits.pixels)
            headers = _attachment(f"{upload.stem}-{name}")
            return Response(data, media_type=media_type, headers=headers)

    for name, (media_type, _) in DOWNLOADS.items():
        add(name, media_type)

    @routes.get("/archive.zip", **file_response("application/zip"))
    async def download_archive(
        id: Annotated[list[str], Query(min_length=1, max_length=limits.images_kept)],
    ) -> Response:
        """All formats of several images in one archive."""
        uploads = [images.finished(each) for each in id]
        seconds = _ARCHIVE_TIMES * limits.seconds
        packed = await queue.run(archive, uploads, limits.pixels, seconds=seconds)
        size = packed.seek(0, os.SEEK_END)
        packed.seek(0)
        headers = {"content-length": str(size), **_attachment("masks.zip")}

        def parts() -> Iterator[bytes]:
            with packed:
                yield from iter(lambda: packed.read(2**20), b"")

        return StreamingResponse(parts(), media_type="application/zip", headers=headers)

    return routes


def _attachment(name: str) -> dict[str, str]:
    """Header by which a browser saves a response under a name; RFC 6266."""
    plain = re.sub(r"[^A-Za-z0-9 ._()-]", "_", name)
    encoded = quote(name, safe="")
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
    return {"content-disposition": disposition}


def download(upload: Upload, name: str, max_pixels: int) -> bytes:
    """The mask of an upload, as it is now, in one of `DOWNLOADS`; `TooLargeError` if too large."""
    wait_if_large(upload.pixels)
    with upload.in_use():
        if name == "mask.tif" and not upload.corrected:
            return upload.mask.read_bytes()
        if upload.pixels > max_pixels:
            raise TooLargeError(
                f"The image has {upload.size[1]}x{upload.size[0]} pixels, and this format is "
                f"written up to {max_pixels:,} pixels; download mask.tif, or use "
                f"`maskwright predict`."
            )
        _, encode = DOWNLOADS[name]
        return encode(upload, upload.labels(), max_pixels)


def archive(uploads: Sequence[Upload], max_pixels: int) -> IO[bytes]:
    """All formats of several uploads in one zip, a folder for each, as a temporary file.

    Files of images that are too large are listed in `left-out.txt`, with the reason.
    """
    wait_if_large(max(upload.pixels for upload in uploads))
    file = tempfile.TemporaryFile()  # noqa: SIM115  # closed when it was sent
    taken: set[str] = set()
    skipped = ""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_FAST) as packed:
        for upload in uploads:
            folder = _unique(upload.stem, taken)
            for name in DOWNLOADS:
                check_deadline()
                place = f"{folder}/{name}"
                try:
                    packed.writestr(place, download(upload, name, max_pixels))
                except TooLargeError as error:
                    skipped += f"{place}: {error}\n"
        if skipped:
            packed.writestr("left-out.txt", skipped)
    return file


def _unique(stem: str, taken: set[str]) -> str:
    """The name, with a number behind it if it is taken; adds the result to `taken`."""
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name.casefold())
    return name


def _mask_png(upload: Upload, labels: np.ndarray, _: int) -> bytes:
    objects = upload.objects(labels)
    return label_png(labels, upload.card.labels) if objects is None else label_png(objects.ids())


def _mask_tif(upload: Upload, labels: np.ndarray, max_pixels: int) -> bytes:
    """A label TIFF, with the georeference of the image if it has one."""
    geo, colors = _geo(upload, max_pixels), upload.card.labels.colors
    with tempfile.TemporaryDirectory(dir=upload.folder) as folder:
        mask = Path(folder) / "mask.tif"
        write_large_mask(mask, lambda top, end: labels[top:end], upload.size, colors, geo)
        return mask.read_bytes()


def _polygons(upload: Upload, labels: np.ndarray, max_pixels: int) -> bytes:
    card = upload.card
    return polygons(labels, card.labels, card.background, _geo(upload, max_pixels))


def _geo(upload: Upload, max_pixels: int) -> GeoTags | None:
    """Georeference of an image."""
    if not start_of(upload.image).startswith(TIFF_MAGIC):
        return None
    with open_windows(upload.image, max_pixels) as windows:
        return windows.geo


def _overlay_png(upload: Upload, labels: np.ndarray, max_pixels: int) -> bytes:
    """The mask over the image, in the size of the grid."""
    grid, pyramid = upload.grid, upload.pyramid
    with open_windows(upload.image, max_pixels) as windows:
        span = None if pyramid is None else pyramid.span
        picture = reduced_picture(windows, span, (grid.height, grid.width))
    objects = upload.objects(labels)
    if objects is None:
        overlay = upload.card.labels.overlay(picture, grid.sample(labels))
    elif grid.scale == 1:
        overlay = draw_objects(picture, objects)
    else:
        overlay = draw_objects(picture, Instances.from_ids(grid.sample(objects.ids())))
    return as_png(Image.fromarray(overlay))


def _coco_json(upload: Upload, labels: np.ndarray, _: int) -> bytes:
    objects, card = upload.objects(labels), upload.card
    return json.dumps(coco(upload.name, labels, objects, card.labels, card.background)).encode()


def _areas_csv(upload: Upload, labels: np.ndarray, _: int) -> bytes:
    """Area in px, share, and number of components or objects of every class."""
    objects, card = upload.objects(labels), upload.card
    total = max(int(np.count_nonzero(labels != IGNORE_LABEL)), 1)
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    last = "pieces" if objects is None else "objects"
    writer.writerow(["label", "class", "area_px", "share", last])
    for label, name in enumerate(card.labels.names):
        inside = labels == label
        area, number = np.count_nonzero(inside), ""
        if label != card.background and objects is None:
            number = str(components_of(inside, OBJECTS)[0] - 1)
        elif label != card.background and objects is not None:
            number = str(np.count_nonzero(objects.labels == label))
        writer.writerow([label, name, area, f"{area / total:.6f}", number])
    return file.getvalue().encode()


DOWNLOADS: Mapping[str, tuple[str, Encode]] = {
    "mask.png": ("image/png", _mask_png),
    "mask.tif": ("image/tiff", _mask_tif),
    "overlay.png": ("image/png", _overlay_png),
    "coco.json": ("application/json", _coco_json),
    "polygons.geojson": ("application/geo+json", _polygons),
    "areas.csv": ("text/csv", _areas_csv),
}
"""Media type and function of each format, by the name of its file."""
