"""Routes of the page: models, and images with their tiles, evidence and masks."""

import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import cv2
import numpy as np
from fastapi import APIRouter, File, Query, Request, UploadFile
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from maskwright.errors import DataError
from maskwright.labels import IGNORE_LABEL
from maskwright.model_card import InstanceCard
from maskwright.serving.jobs.job_queue import Desk, room_for
from maskwright.serving.jobs.models import Models, Served
from maskwright.serving.jobs.run_inference import decide, evidence_file
from maskwright.serving.limits import Limits
from maskwright.serving.routes.predict import chosen, safe_name
from maskwright.serving.security import file_of
from maskwright.serving.store.downloads import DOWNLOADS, Download, archive, download, stem_of
from maskwright.serving.store.image_store import Images
from maskwright.serving.store.probability_grid import LEVELS
from maskwright.serving.store.tile_pyramid import TILE
from maskwright.serving.store.training_export import TrainingSetWriter
from maskwright.serving.store.upload import Upload
from maskwright.tasks.instances import InstancePredictor
from maskwright.tasks.regions.pipeline import Pipeline

_LONGEST_WAIT_S = 20.0
_BYTES = "application/octet-stream"
_ARCHIVE_TIMES = 10  # an archive of many images may take so much longer than one answer
_PACKED = {
    "requestBody": {
        "required": True,
        "content": {_BYTES: {"schema": {"type": "string", "format": "binary"}}},
    }
}
_FOR_EVER = {"cache-control": "private, max-age=31536000, immutable"}

Wait = Annotated[float, Query(ge=0, le=_LONGEST_WAIT_S, description="Seconds to wait for news.")]


def workbench_routes(
    models: Models, desk: Desk, limits: Limits, images: Images, keeper: TrainingSetWriter | None
) -> APIRouter:
    """`/api/models` and `/api/images`.

    Args:
        models: By name.
        desk: Where heavy work is done.
        limits: Of pixels.
        images: Those that are worked on.
        keeper: Keeps images for training; `None` keeps none.
    """
    routes = APIRouter(prefix="/api")

    @routes.get("/models")
    async def list_models() -> list[dict[str, Any]]:
        """Models, with all that a page needs to show and to decide as they do."""
        return [about(served, keeper is not None) for served in models.values()]

    @routes.post("/images", status_code=202)
    async def add(
        image: Annotated[UploadFile, File(description="An image of any size.")],
        model: Annotated[str | None, Query(max_length=100)] = None,
    ) -> dict[str, Any]:
        """Take on an image; a model works on it in the background, one image after another."""
        served = chosen(models, model)
        if served.segmenter is None:
            raise HTTPException(
                422,
                f"The model {served.name} decides on given masks and draws none; ask /regions.",
            )
        images.check()
        upload = await desk.run(images.add, safe_name(image.filename), served, image.file)
        return state(upload)

    @routes.get("/images/{id}")
    async def one(id: str, wait: Wait = 0.0) -> dict[str, Any]:
        """How an image stands; with `wait`, as soon as that changes."""
        upload = images[id]
        if wait and not upload.over:
            await upload.changes.wait(wait)
        return state(upload)

    @routes.delete("/images/{id}", status_code=204)
    async def drop(id: str) -> Response:
        """Forget an image and all that was made of it."""
        await run_in_threadpool(images.drop, id)
        return Response(status_code=204)

    @routes.get("/images/{id}/evidence", **file_of(_BYTES))
    async def evidence(id: str) -> Response:
        """Class and probability of every pixel of the grid, plane after plane."""
        data = await _read(evidence_file(_done(images, id).folder))
        headers = {"content-encoding": "gzip", **_FOR_EVER}
        return Response(data, media_type=_BYTES, headers=headers)

    @routes.get("/images/{id}/tiles/{level}/{column}_{row}.jpg", **file_of("image/jpeg"))
    async def tile(id: str, level: int, column: int, row: int) -> Response:
        """A tile of the picture, numbered as in Deep Zoom."""
        pyramid = await _drawn(images[id])
        return await _jpeg(pyramid.tile(level, column, row))

    @routes.get("/images/{id}/thumbnail.jpg", **file_of("image/jpeg"))
    async def thumbnail(id: str) -> Response:
        """The picture, at most 160 pixels a side."""
        pyramid = await _drawn(images[id])
        return await _jpeg(pyramid.thumbnail)

    @routes.get("/images/{id}/labels", **file_of(_BYTES))
    async def corrected(id: str) -> Response:
        """The corrected mask of an image, of its grid; 404 where nothing was corrected."""
        data = await _read(_done(images, id).corrected_file)
        return Response(data, media_type=_BYTES, headers={"content-encoding": "gzip"})

    @routes.put("/images/{id}/labels", status_code=204, openapi_extra=_PACKED)
    async def correct(id: str, request: Request) -> Response:
        """Keep a corrected mask: the class of each pixel of the grid, 255 for none, with gzip."""
        upload = _done(images, id)
        data = await request.body()
        await desk.run(_correct, upload, data)
        return Response(status_code=204)

    @routes.delete("/images/{id}/labels", status_code=204)
    async def undo(id: str) -> Response:
        """Go back to the mask of the model."""
        _done(images, id).undo()
        return Response(status_code=204)

    for kind in DOWNLOADS.values():
        _add_download(routes, kind, desk, limits, images)

    @routes.get("/archive.zip", **file_of("application/zip"))
    async def archive_of(
        id: Annotated[list[str], Query(min_length=1, max_length=limits.images_kept)],
    ) -> Response:
        """All files of several images in one archive."""
        uploads = [_done(images, one) for one in id]
        packed = await desk.run_for(
            _ARCHIVE_TIMES * limits.seconds, archive, uploads, limits.pixels
        )
        size = packed.seek(0, os.SEEK_END)
        packed.seek(0)
        headers = {"content-length": str(size), **_attachment("masks.zip")}

        def pieces() -> Iterator[bytes]:
            with packed:
                yield from iter(lambda: packed.read(2**20), b"")

        return StreamingResponse(pieces(), media_type="application/zip", headers=headers)

    @routes.post("/images/{id}/keep")
    async def keep(id: str) -> dict[str, Any]:
        """Keep the image and its mask as it is now in a data set to train on."""
        upload = _done(images, id)
        if keeper is None:
            raise HTTPException(404, "This server keeps nothing; start it with --keep FOLDER.")
        return await desk.run(keeper.keep, upload)

    @routes.post("/images/{id}/decide")
    async def decide_again(id: str) -> dict[str, Any]:
        """Decide on the regions of the mask as it is now."""
        upload = _done(images, id)
        if upload.served.kind != "regions":
            raise HTTPException(422, f"The model {upload.served.name} decides on no regions.")
        await desk.run(_decide, upload, limits.pixels)
        return state(upload)

    return routes


def _add_download(
    routes: APIRouter, kind: Download, desk: Desk, limits: Limits, images: Images
) -> None:
    @routes.get(f"/images/{{id}}/{kind.name}", name=kind.name, **file_of(kind.media_type))
    async def one_file(id: str) -> Response:
        """The mask as it is now, corrected or as the model drew it."""
        upload = _done(images, id)
        data = await desk.run(download, upload, kind, limits.pixels)
        headers = _attachment(f"{stem_of(upload.name)}-{kind.name}")
        return Response(data, media_type=kind.media_type, headers=headers)


def _attachment(name: str) -> dict[str, str]:
    """Header by which a browser saves an answer under a name; RFC 6266."""
    plain = re.sub(r"[^A-Za-z0-9 ._()-]", "_", name)
    coded = quote(name, safe="")
    return {"content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{coded}"}


def about(served: Served, keeps: bool) -> dict[str, Any]:
    """A model as the page knows it."""
    segmenter = served.segmenter
    answer: dict[str, Any] = {
        "name": served.name,
        "kind": served.kind,
        "classes": [],
        "background": None,
        "threshold": None,
        "threshold_of": None,
        "min_area_px": 0,
        "fill_holes_px": 0,
        "keep_largest": False,
        "names": None,
        "decision_threshold": None,
        "needs_masks": segmenter is None,
        "keep": keeps and segmenter is not None,
    }
    if isinstance(served.model, Pipeline):
        card = served.model.classifier.card
        answer |= {"names": list(card.names), "decision_threshold": card.threshold}
    if segmenter is None:
        return answer
    card = segmenter.card
    colors = card.labels.to_dict()["colors"]
    answer |= {
        "classes": [
            {"label": label, "name": name, "color": colors[label].lower()}
            for label, name in enumerate(card.labels.names)
        ],
        "background": card.background,
        "min_area_px": card.min_area_px,
    }
    if isinstance(card, InstanceCard):
        return answer | {"threshold": card.score, "threshold_of": "score"}
    two = card.labels.num_classes == 2 and card.background is not None
    return answer | {
        "threshold": card.threshold,
        "threshold_of": "foreground" if two else "winner",
        "fill_holes_px": card.fill_holes_px,
        "keep_largest": card.keep_largest,
    }


def state(upload: Upload) -> dict[str, Any]:
    """How an image stands, as the page knows it."""
    grid = upload.grid
    planes = ["labels", "probabilities"]
    if isinstance(upload.served.segmenter, InstancePredictor):
        planes.append("objects")
    return {
        "id": upload.id,
        "name": upload.name,
        "model": upload.served.name,
        "status": upload.status,
        "progress": round(upload.progress, 3),
        "reason": upload.reason,
        "width": upload.size[1],
        "height": upload.size[0],
        "tile": TILE,
        "grid": {"width": grid.width, "height": grid.height, "scale": grid.scale},
        "levels": LEVELS,
        "planes": planes,
        "changed": upload.changed,
        "regions": upload.found.regions,
        "decisions": upload.found.decisions,
    }


def _done(images: Images, id: str) -> Upload:
    """An upload that the model has done with; `HTTPException` for one that it has not."""
    upload = images[id]
    if upload.status == "failed":
        raise HTTPException(409, upload.reason or "The image failed.")
    if upload.status != "done":
        raise HTTPException(409, "The model has not done with this image yet; ask again later.")
    return upload


async def _drawn(upload: Upload) -> Any:
    """The picture of an upload, waited for where it is still being drawn."""
    while upload.pyramid is None and not upload.over:
        if not await upload.changes.wait(_LONGEST_WAIT_S):
            raise HTTPException(
                503, "The picture is not drawn yet; ask again.", {"retry-after": "5"}
            )
    if upload.pyramid is None:
        raise HTTPException(404, upload.reason or "There is no picture of this image.")
    return upload.pyramid


async def _jpeg(file: Path) -> Response:
    return Response(await _read(file), media_type="image/jpeg", headers=_FOR_EVER)


async def _read(file: Path) -> bytes:
    try:
        return await run_in_threadpool(file.read_bytes)
    except OSError:  # also of numbers that make no name of a file
        raise HTTPException(404, "There is no such part of this image.") from None


def _correct(upload: Upload, packed: bytes) -> None:
    """Check a corrected mask and keep it."""
    size = upload.grid.height * upload.grid.width
    unpack = zlib.decompressobj(wbits=31)  # of gzip
    try:
        labels = unpack.decompress(packed, size + 1)
    except zlib.error:
        raise DataError("Expected the mask to be packed with gzip.") from None
    if len(labels) != size or not unpack.eof:
        raise DataError(
            f"Expected a byte for each of {upload.grid.width}x{upload.grid.height} pixels, {size:,}"
            f" in all, packed with gzip; received another number."
        )
    segmenter = upload.served.segmenter
    known = 0 if segmenter is None else segmenter.card.labels.num_classes
    counts = cv2.calcHist([np.frombuffer(labels, np.uint8)], [0], None, [256], [0, 256])
    foreign = np.flatnonzero(counts[known:IGNORE_LABEL])
    if foreign.size:
        raise DataError(
            f"Expected the classes 0 to {known - 1}, or {IGNORE_LABEL} for none; the mask holds "
            f"{known + foreign[0]}."
        )
    upload.correct(labels)


def _decide(upload: Upload, max_pixels: int) -> None:
    """Let a pipeline decide on the mask as it is now."""
    room_for(upload.size[0] * upload.size[1])
    with upload.in_use():
        labels = upload.labels()
        name = Path(upload.name).stem
        found = decide(upload.served, upload.file, name, labels, upload.objects, max_pixels)
    upload.finish(found)
