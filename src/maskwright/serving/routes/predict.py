"""Routes for programs: an image in, its mask, its objects or decisions out."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, File, Query, Response, UploadFile
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from maskwright.errors import ConfigError, DataError
from maskwright.imageio import NamedBytes, read_header, read_image, read_mask
from maskwright.inference.predictor import Prediction, Predictor
from maskwright.serving.jobs.job_queue import Desk, room_for
from maskwright.serving.jobs.models import Models, Served
from maskwright.serving.limits import Limits, check_time
from maskwright.serving.routes import responses as answers
from maskwright.tasks.instances import InstancePredictor
from maskwright.tasks.regions.extraction.extract import Region
from maskwright.tasks.regions.pipeline import Pipeline

Output = Literal["labels", "probability", "coco", "polygons"]
Upload = Annotated[UploadFile, File(description="An image: PNG, JPEG, TIFF, WebP, BMP, GIF.")]
MaskUpload = Annotated[
    UploadFile | None, File(description="Labels, or numbers of objects, of its pixels.")
]
ModelName = Annotated[
    str | None,
    Query(description="Name of the model; may be left out where there is one.", max_length=100),
]

_LONGEST_NAME = 100
_MASKS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Labels and probabilities as PNG, COCO and polygons as JSON",
        "content": {"image/png": {}, "application/json": {}},
    }
}


def predict_routes(models: Models, desk: Desk, limits: Limits) -> APIRouter:
    """`/predict`, `/regions` and `/cases`."""
    routes = APIRouter(tags=["Images"])

    @routes.post("/predict", response_class=Response, responses=_MASKS)
    async def predict(
        image: Upload,
        model: ModelName = None,
        output: Annotated[Output, Query(description="What is wanted.")] = "labels",
        threshold: Annotated[
            float | None,
            Query(gt=0, lt=1, description="Least probability of what is not background."),
        ] = None,
        min_area_px: Annotated[
            int | None, Query(ge=0, le=2**31, description="Leave out smaller pieces, px.")
        ] = None,
        shown: Annotated[
            str | None,
            Query(alias="class", max_length=200, description="Whose probability is wanted."),
        ] = None,
    ) -> Response:
        """Mask of an image, or its objects."""
        served = chosen(models, model)
        desk.check()

        def work() -> Response:
            name, pixels = decoded(image, limits)
            drawing = adjusted(served, threshold=threshold, min_area_px=min_area_px)
            return drawn(drawing, name, pixels, output, shown)

        return await desk.run(work)

    @routes.post("/regions")
    async def regions(
        image: Upload, mask: MaskUpload = None, model: ModelName = None
    ) -> dict[str, Any]:
        """Regions of an image and what is decided on them; of the mask, where one is sent."""
        served = chosen(models, model)
        desk.check()
        return await desk.run(
            lambda: decided(served, [image], None if mask is None else [mask], limits)
        )

    @routes.post("/cases")
    async def cases(
        images: Annotated[list[UploadFile], File(description="All images of one case.")],
        masks: Annotated[
            list[UploadFile] | None, File(description="Of all of them, in their order.")
        ] = None,
        model: ModelName = None,
    ) -> dict[str, Any]:
        """What is decided on a case of several images."""
        served = chosen(models, model)
        desk.check()
        return await desk.run(lambda: decided(served, images, masks, limits))

    return routes


def chosen(models: Models, name: str | None) -> Served:
    """Model of a name; without one, the only one there is. `HTTPException` where there is none."""
    if name is None:
        if len(models) == 1:
            return models[next(iter(models))]
        known = ", ".join(models) or "none yet"
        raise HTTPException(422, f"Name one of the models of this server: {known}.")
    if name not in models:
        raise HTTPException(404, f"There is no model {name[:100]!r}.")
    return models[name]


def decoded(upload: UploadFile, limits: Limits) -> tuple[str, np.ndarray]:
    """Name and pixels of an uploaded image; `DataError` for what is none."""
    content = _content(upload)
    header = read_header(content, limits.pixels)
    room_for(header.width * header.height)
    pixels = read_image(content, limits.pixels)
    check_time()
    return content.name, pixels


def _content(upload: UploadFile) -> NamedBytes:
    upload.file.seek(0)  # work on a large image comes here twice
    return NamedBytes(safe_name(upload.filename), upload.file.read())


def safe_name(name: str | None) -> str:
    """Last part of a name that came from elsewhere, without what is not to be seen."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    printable = "".join(sign for sign in last if sign.isprintable())
    return printable[-_LONGEST_NAME:] or "image"


def adjusted(served: Served, **changes: Any) -> Predictor | InstancePredictor:
    """What a model draws masks with, with other values on its card, where they are not `None`."""
    segmenter = served.segmenter
    if not isinstance(segmenter, Predictor | InstancePredictor):
        raise ConfigError(
            f"The model {served.name} decides on given masks and draws none; ask /regions."
        )
    given = {name: value for name, value in changes.items() if value is not None}
    return segmenter.adjusted(**given) if given else segmenter


def drawn(
    drawing: Predictor | InstancePredictor,
    name: str,
    image: np.ndarray,
    output: Output,
    shown: str | None,
) -> Response:
    """What is wanted of one image `(h, w, c)`."""
    card = drawing.card
    if isinstance(drawing, InstancePredictor):
        if output == "probability":
            raise ConfigError("A model of objects gives no probabilities of pixels.")
        found = drawing(image)
        if output == "coco" and found.objects is not None:
            return JSONResponse(answers.coco(name, found.objects, card.labels, card.background))
        if output == "labels" and found.instances is not None:
            return Response(answers.label_png(found.instances), media_type="image/png")
        mask = found.labels
    else:
        wanted = output == "probability"
        prediction = drawing(image, probabilities=wanted)
        if wanted and prediction.probabilities is not None:
            data = answers.probability_png(prediction.probabilities, card.labels, shown)
            return Response(data, media_type="image/png")
        mask = prediction.labels
    if output == "labels":
        return Response(answers.label_png(mask, card.labels), media_type="image/png")
    if output == "coco":
        return JSONResponse(answers.coco(name, mask, card.labels, card.background))
    polygons = answers.polygons(mask, card.labels, card.background)
    return Response(polygons, media_type="application/json")


def decided(
    served: Served,
    images: Sequence[UploadFile],
    masks: Sequence[UploadFile] | None,
    limits: Limits,
) -> dict[str, Any]:
    """Decisions on the images of one case, and the regions that they were made on.

    Raises:
        ConfigError: If the model decides on nothing.
        DataError: If images and masks do not belong together.
    """
    pipeline = served.model
    if not isinstance(pipeline, Pipeline):
        raise ConfigError(
            f"The model {served.name} gives {served.kind} and decides nothing; ask /predict."
        )
    if masks is not None and len(masks) != len(images):
        raise DataError(f"Expected a mask for each of {len(images)} images, received {len(masks)}.")
    found: list[tuple[str, str, Sequence[Region]]] = []
    drawn: dict[str, Prediction] = {}
    for place, upload in enumerate(images):
        name, image = decoded(upload, limits)
        if name in {known for known, _, _ in found}:
            name = f"{name} ({place + 1})"
        mask: np.ndarray | Prediction
        if masks is None:
            mask = drawn[name] = pipeline.segment(image)
        else:
            mask = decoded_mask(masks[place], limits)
        found.append((name, "case", pipeline.regions(image, mask, name)))
    results = pipeline.decide(found)
    labels = None if pipeline.segmenter is None else pipeline.segmenter.card.labels
    return {
        "decisions": answers.decisions(results),
        "regions": answers.regions(results, drawn, labels),
    }


def decoded_mask(upload: UploadFile, limits: Limits) -> np.ndarray:
    """Whole numbers `(h, w)` of an uploaded mask; `DataError` for what is none."""
    content = _content(upload)
    values = read_mask(content, limits.pixels).values
    if values.ndim != 2:
        raise DataError(f"{content} is a mask of colors; expected one of numbers, in gray.")
    return values
