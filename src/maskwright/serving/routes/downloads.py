"""Routes of the masks of the page to download: one image in a format, archives of several."""

import os
import re
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Body
from fastapi.responses import Response, StreamingResponse

from maskwright.serving.jobs.job_queue import JobQueue
from maskwright.serving.routes.requests import LayerName, file_response
from maskwright.serving.store.areas import area_rows, layer_rows
from maskwright.serving.store.exports import DOWNLOADS, archive, exporter
from maskwright.serving.store.image_store import ImageStore

_ASKED_TIMES = 100  # a list may be longer than what is stored: some of it made room
_ARCHIVE_TIMES = 10  # an archive of many images may take so much longer than one answer


def download_routes(images: ImageStore, queue: JobQueue) -> APIRouter:
    """`/api/images/{id}/NAME` for the name of every format, and `/api/archive.zip`."""
    routes, limits = APIRouter(prefix="/api"), queue.limits
    most = _ASKED_TIMES * limits.images_kept

    def add(name: str, media_type: str) -> None:
        @routes.get(f"/images/{{id}}/{name}", name=name, **file_response(media_type))
        async def download_mask(id: str) -> Response:
            """The mask as it is now, corrected or as predicted."""
            upload = images.finished(id)
            data = await queue.run(lambda: exporter(upload, limits.pixels)(DOWNLOADS[name][1]))
            headers = _attachment(f"{upload.stem}-{name}")
            return Response(data, media_type=media_type, headers=headers)

    for name, (media_type, _) in DOWNLOADS.items():
        add(name, media_type)

    @routes.get("/images/{id}/areas")
    async def areas(id: str, layer: LayerName = "") -> dict[str, Any]:
        """Area in px and number of components or objects of every class, as in `areas.csv`.

        With `layer`, those of one layer and of the rest of the image.
        """
        upload = images.finished(id)

        def measure() -> dict[str, Any]:
            rows = partial(layer_rows, layer) if layer else area_rows
            return {"classes": exporter(upload, limits.pixels)(rows)}

        return await queue.run(measure)

    @routes.post("/archive.zip", **file_response("application/zip"))
    async def download_archive(
        ids: Annotated[list[str], Body(embed=True, min_length=1, max_length=most)],
    ) -> Response:
        """All formats of several images in one archive, and one table of all.

        `X-Left-Out` is the number of files that are not in it, for the reasons in `left-out.txt`.
        """
        ids = list(dict.fromkeys(ids))
        uploads = images.stored(ids)
        seconds = limits.seconds * max(_ARCHIVE_TIMES, len(uploads))
        missing = len(ids) - len(uploads)
        packed, left_out = await queue.run(
            archive, uploads, limits.pixels, missing, seconds=seconds
        )
        size = packed.seek(0, os.SEEK_END)
        packed.seek(0)
        headers = {"content-length": str(size), "x-left-out": str(left_out)}
        headers |= _attachment("masks.zip")

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
