"""Routes of downloads: the mask of an image in every format, and archives of several images."""

import os
import re
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse

from maskwright.serving.jobs.job_queue import JobQueue
from maskwright.serving.routes.requests import file_response
from maskwright.serving.store.downloads import DOWNLOADS, archive, download, stem_of
from maskwright.serving.store.image_store import ImageStore

_ARCHIVE_TIMES = 10  # an archive of many images may take so much longer than one answer


def download_routes(images: ImageStore, queue: JobQueue) -> APIRouter:
    """`/api/images/{id}/NAME` for the name of every format, and `/api/archive.zip`."""
    routes, limits = APIRouter(prefix="/api"), queue.limits

    def add(name: str, media_type: str) -> None:
        @routes.get(f"/images/{{id}}/{name}", name=name, **file_response(media_type))
        async def download_mask(id: str) -> Response:
            """The mask as it is now, corrected or as predicted."""
            upload = images.finished(id)
            data = await queue.run(download, upload, name, limits.pixels)
            headers = _attachment(f"{stem_of(upload.name)}-{name}")
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
