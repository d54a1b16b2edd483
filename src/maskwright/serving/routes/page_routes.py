"""Routes of the page: models, and images with their tiles, probabilities and masks."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, File, Query, Request, UploadFile
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from maskwright.errors import TooLargeError
from maskwright.imageio.windows import MOST_PIXELS
from maskwright.serving.jobs.fair_pool import need_pixels
from maskwright.serving.jobs.job_queue import JobQueue
from maskwright.serving.jobs.model_registry import ModelRegistry
from maskwright.serving.jobs.run_inference import decisions_now
from maskwright.serving.routes.descriptions import describe_image, describe_model
from maskwright.serving.routes.requests import (
    BINARY,
    LayerName,
    choose_model,
    file_response,
    safe_name,
    send_file,
)
from maskwright.serving.store.image_store import ImageStore
from maskwright.serving.store.tile_pyramid import TilePyramid
from maskwright.serving.store.training_export import keep_for_training
from maskwright.serving.store.upload import Upload

_LONGEST_WAIT_S = 20.0
_BYTES, _JPEG = "application/octet-stream", "image/jpeg"
_GZIP = {"content-encoding": "gzip"}
_PACKED = {"requestBody": {"required": True, "content": {_BYTES: BINARY}}}
_IMMUTABLE = {"cache-control": "private, max-age=31536000, immutable"}

Version = Annotated[int, Query(ge=0, description="Version of the mask that was edited.")]
ModelName = Annotated[str, Query(max_length=100)]
Wait = Annotated[float, Query(ge=0, le=_LONGEST_WAIT_S, description="Seconds to wait for news.")]


class MaskDecision(BaseModel):
    """How a mask is decided, and the version of the mask that this was said of."""

    model_config = ConfigDict(extra="forbid")
    version: NonNegativeInt
    threshold: Annotated[float, Field(ge=0, le=1)] | None
    min_area_px: Annotated[int, Field(ge=0, le=MOST_PIXELS)]
    fill_holes_px: Annotated[int, Field(ge=0, le=MOST_PIXELS)]
    keep_largest: bool


def page_routes(
    models: ModelRegistry, queue: JobQueue, images: ImageStore, training_folder: Path | None
) -> APIRouter:
    """`/api/models` and `/api/images`; images are kept in `training_folder`, if any."""
    routes = APIRouter(prefix="/api")

    @routes.get("/models")
    async def list_models() -> list[dict[str, Any]]:
        """Models, with all that a page needs to show and to decide as they do."""
        return [describe_model(served, training_folder is not None) for served in models.values()]

    @routes.post("/images", status_code=202)
    async def add(
        image: Annotated[UploadFile, File(description="An image of any size.")],
        model: Annotated[str | None, Query(max_length=100)] = None,
    ) -> dict[str, Any]:
        """Store an image; a model works on it in the background, one image after another."""
        served = choose_model(models, model)
        upload = await queue.run(images.add, safe_name(image.filename), served, image.file)
        return describe_image(upload)

    @routes.get("/images/{id}")
    async def state(id: str, wait: Wait = 0.0) -> dict[str, Any]:
        """Status of an image; with `wait`, as soon as it changes."""
        upload = images[id]
        if wait and not upload.over:
            await upload.changes(wait)
        return describe_image(upload)

    @routes.delete("/images/{id}", status_code=204)
    async def remove(id: str) -> Response:
        """Remove an image and all files made of it."""
        await run_in_threadpool(images.drop, id)
        return Response(status_code=204)

    @routes.get("/images/{id}/evidence", **file_response(_BYTES))
    async def probabilities(id: str, layer: LayerName = "") -> Response:
        """Class and probability of every pixel of the grid, plane after plane."""
        file = images.finished(id).layer(layer).probabilities
        return await send_file(file, _BYTES, {**_GZIP, **_IMMUTABLE})

    @routes.get("/images/{id}/tiles/{level}/{column}_{row}.jpg", **file_response(_JPEG))
    async def tile(id: str, level: int, column: int, row: int) -> Response:
        """A tile of the image, numbered as in Deep Zoom."""
        pyramid = await _pyramid(images[id])
        return await send_file(pyramid.tile(level, column, row), _JPEG, _IMMUTABLE)

    @routes.get("/images/{id}/thumbnail.jpg", **file_response(_JPEG))
    async def thumbnail(id: str) -> Response:
        """The image, at most 160 pixels a side."""
        pyramid = await _pyramid(images[id])
        return await send_file(pyramid.thumbnail, _JPEG, _IMMUTABLE)

    async def packed(upload: Upload, pack: Callable[[], bytes]) -> Response:
        """What is packed of the masks of an image at full resolution."""
        if upload.pixels > queue.limits.pixels:
            raise TooLargeError("The image is too large to be shown exactly; download mask.tif.")

        def job() -> bytes:
            need_pixels(upload.pixels)
            with upload.in_use():
                return pack()

        return Response(await queue.run(job), media_type=_BYTES, headers=_GZIP)

    @routes.get("/images/{id}/labels", **file_response(_BYTES))
    async def labels(id: str, layer: LayerName = "") -> Response:
        """Labels of the grid as decided at full resolution, without strokes; numbers of objects."""
        upload = images.finished(id)
        return await packed(upload, upload.layer(layer).packed)

    @routes.get("/images/{id}/layers", **file_response(_BYTES))
    async def all_layers(id: str) -> Response:
        """All layers of the grid as they are now: a bit of each pixel, eight in a plane."""
        upload = images.finished(id)
        return await packed(upload, upload.packed_layers)

    @routes.get("/images/{id}/bounds", **file_response(_BYTES))
    async def bounds(id: str) -> Response:
        """Outer (1) and inner (2) masks of the grid as bits, a plane for each class of `trust`."""
        return await send_file(images.finished(id).bounds_file, _BYTES, {**_GZIP, **_IMMUTABLE})

    @routes.put("/images/{id}/settings")
    async def decide_mask(id: str, body: MaskDecision, layer: LayerName = "") -> dict[str, Any]:
        """Set threshold and postprocessing of the mask; 409 if `version` is not the stored one."""
        mask, changes = images[id].layer(layer), body.model_dump(exclude={"version"})
        mask.decide(replace(mask.settings, **changes), body.version)
        return describe_image(images[id])

    @routes.get("/images/{id}/strokes", **file_response(_BYTES))
    async def strokes(id: str, layer: LayerName = "") -> Response:
        """The strokes on the mask of an image, of its grid; 404 if there are none."""
        return await send_file(images.finished(id).layer(layer).strokes_file, _BYTES, _GZIP)

    @routes.put("/images/{id}/strokes", openapi_extra=_PACKED)
    async def correct(
        id: str, version: Version, request: Request, layer: LayerName = ""
    ) -> dict[str, Any]:
        """Store all strokes: the class of each pixel of the grid, 255 for none, 254 for no stroke.

        They are packed with gzip; 409 if `version` is not the stored one.
        """
        upload = images.finished(id)
        await queue.run(upload.layer(layer).draw, await request.body(), version)
        return describe_image(upload)

    @routes.post("/images/{id}/copy", status_code=202)
    async def predict_again(id: str, model: ModelName) -> dict[str, Any]:
        """Store the image once more, for another model."""
        upload, served = images[id], choose_model(models, model)

        def copy() -> Upload:
            with upload.in_use(), upload.image.open("rb") as file:
                return images.add(upload.name, served, file)

        return describe_image(await queue.run(copy))

    @routes.post("/images/{id}/keep")
    async def keep(id: str, replace: bool = False) -> dict[str, Any]:
        """Store the image and its mask as it is now in a data set to train on.

        409 if the data set holds another mask of the image and `replace` is false.
        """
        upload = images.finished(id)
        if training_folder is None:
            raise HTTPException(404, "This server keeps nothing; start it with --keep FOLDER.")
        return await queue.run(keep_for_training, training_folder, upload, replace)

    @routes.post("/images/{id}/decide")
    async def decide_again(id: str) -> dict[str, Any]:
        """Decide on the regions of the mask as it is now."""
        upload = images.finished(id)
        await queue.run(decisions_now, upload, queue.limits.pixels)
        return describe_image(upload)

    return routes


async def _pyramid(upload: Upload) -> TilePyramid:
    """Tiles of an upload, waited for while they are written."""
    while upload.pyramid is None and not upload.over:
        if not await upload.changes(_LONGEST_WAIT_S):
            raise HTTPException(
                503, "The tiles are not written yet; ask again.", {"retry-after": "5"}
            )
    if upload.pyramid is None:
        raise HTTPException(404, upload.reason or "There are no tiles of this image.")
    return upload.pyramid
