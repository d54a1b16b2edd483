"""Routes for programs: an image in, its mask, objects or decisions out."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, TypeVar

import numpy as np
from fastapi import APIRouter, File, Query, Response, UploadFile

from maskwright.errors import ConfigError, DataError
from maskwright.imageio import Header, NamedBytes, read_header, read_mask, read_with_gaps
from maskwright.inference.pixels import check_pages, pixel_warnings, spread_bits
from maskwright.model_card import ModelCard
from maskwright.serving.jobs.fair_pool import need_pixels
from maskwright.serving.jobs.job_queue import JobQueue
from maskwright.serving.jobs.model_registry import ModelRegistry
from maskwright.serving.limits import check_deadline
from maskwright.serving.routes.requests import choose_model, safe_name, segmenter_of, warn
from maskwright.serving.routes.responses import (
    TRUST_HEADER,
    DecodedImage,
    Output,
    assess_image,
    encode_mask,
    trust_header,
)
from maskwright.tasks.serving import CaseImage, ServedModel

T = TypeVar("T")
ImageUpload = Annotated[UploadFile, File(description="An image: PNG, JPEG, TIFF, WebP, BMP, GIF.")]
MaskUpload = Annotated[
    UploadFile | None, File(description="Mask of labels, or of numbers of objects.")
]
ModelName = Annotated[
    str | None,
    Query(description="Name of the model; optional for a server of one model.", max_length=100),
]

_MASKS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Labels and probabilities as PNG, overlapping classes as TIFF of a page for "
        "each, COCO and polygons as JSON",
        "content": {"image/png": {}, "image/tiff": {}, "application/json": {}},
    }
}


def predict_routes(models: ModelRegistry, queue: JobQueue) -> APIRouter:
    """`/predict`, `/regions` and `/cases`."""
    routes = APIRouter(tags=["Images"])

    @routes.post("/predict", response_class=Response, responses=_MASKS)
    async def predict(
        image: ImageUpload,
        model: ModelName = None,
        output: Annotated[Output, Query(description="Format of the answer.")] = "labels",
        threshold: Annotated[
            float | None,
            Query(gt=0, lt=1, description="Foreground probability threshold, or least score."),
        ] = None,
        min_area_px: Annotated[
            int | None,
            Query(ge=0, le=2**31, description="Minimum area of components or objects, px."),
        ] = None,
        pixel_range: Annotated[
            list[float] | None,
            Query(min_length=2, max_length=2, description="Pixel values of black and of white."),
        ] = None,
        shown: Annotated[
            str | None,
            Query(
                alias="class",
                max_length=200,
                description="Class whose probability or bound, or mask where classes overlap, is "
                "shown.",
            ),
        ] = None,
    ) -> Response:
        """Mask of an image, or its objects.

        A model with promises tells in the header `Maskwright-Trust` what is known of each mask, and
        `output=outer` and `output=inner` give its bounds, of objects the numbers of those that keep
        the promise of few missed or few false ones.
        """
        served = choose_model(models, model)

        def job() -> Response:
            ends = None if pixel_range is None else (pixel_range[0], pixel_range[1])
            segmenter = segmenter_of(
                served, threshold=threshold, min_area_px=min_area_px, pixel_range=ends
            )
            card = segmenter.predictor.card
            decoded = _decode_image(image, queue, card)
            assessed, reasons = assess_image(segmenter, decoded.pixels, output)
            response = encode_mask(segmenter, decoded, output, shown, assessed)
            if assessed is not None:
                response.headers[TRUST_HEADER] = trust_header(assessed)
            warn(response, reasons)
            warn(response, pixel_warnings(decoded.pixels, card))
            return response

        return await queue.run(job)

    @routes.post("/regions")
    async def regions(
        response: Response,
        image: ImageUpload,
        mask: MaskUpload = None,
        model: ModelName = None,
    ) -> dict[str, Any]:
        """Regions of an image and the decisions on them; of a given mask if one is sent."""
        served = choose_model(models, model)
        masks = None if mask is None else [mask]
        decision, warnings = await queue.run(decide, served, [image], masks, queue)
        warn(response, warnings)
        return decision

    @routes.post("/cases")
    async def cases(
        response: Response,
        images: Annotated[list[UploadFile], File(description="All images of one case.")],
        masks: Annotated[
            list[UploadFile] | None, File(description="Masks of all images, in their order.")
        ] = None,
        model: ModelName = None,
    ) -> dict[str, Any]:
        """Decision on a case of several images."""
        served = choose_model(models, model)
        decision, warnings = await queue.run(decide, served, images, masks, queue)
        warn(response, warnings)
        return decision

    return routes


def decide(
    served: ServedModel,
    images: Sequence[UploadFile],
    masks: Sequence[UploadFile] | None,
    queue: JobQueue,
) -> tuple[dict[str, Any], list[str]]:
    """Decisions on a case and its regions, and warnings about the pixels of its images.

    Raises `ConfigError` if the model decides on nothing.
    """
    if served.classifier is None:
        raise ConfigError(
            f"The model {served.name} is for the task {served.task} and decides on no regions; "
            f"ask /predict."
        )
    if masks is not None and len(masks) != len(images):
        raise DataError(f"Expected a mask for each of {len(images)} images, received {len(masks)}.")
    card = served.classifier.card
    warnings: list[str] = []

    def checked(image: CaseImage) -> CaseImage:
        warnings.extend(pixel_warnings(image.pixels, card))
        return image

    decoded = map(checked, _decode_case(images, masks, queue, card))
    decisions = served.classifier.decide(decoded, "case")._asdict()
    return {key: value for key, value in decisions.items() if value is not None}, warnings


def _decode_case(
    images: Sequence[UploadFile],
    masks: Sequence[UploadFile] | None,
    queue: JobQueue,
    card: ModelCard,
) -> Iterator[CaseImage]:
    """Images of a case, decoded one after another; those of one name get a number."""
    names: set[str] = set()
    for place, upload in enumerate(images):
        image = _decode_image(upload, queue, card)
        name = f"{image.name} ({place + 1})" if image.name in names else image.name
        names.add(name)
        mask = None if masks is None else _decode_mask(masks[place], queue)
        yield CaseImage(name, image.pixels, mask)


def _decode_image(upload: UploadFile, queue: JobQueue, card: ModelCard) -> DecodedImage:
    """An uploaded image as a model takes it; `DataError` if it is none."""
    content = _content(upload)
    header, (pixels, gap) = _decode(content, read_with_gaps, queue)
    check_pages(content, header, card)
    check_deadline()
    return DecodedImage(content.name, spread_bits(pixels, header.white, card), gap)


def _decode_mask(upload: UploadFile, queue: JobQueue) -> np.ndarray:
    """Whole numbers `(h, w)` of an uploaded mask; `DataError` if it is none."""
    content = _content(upload)
    values = _decode(content, read_mask, queue)[1].values
    if values.ndim != 2:
        raise DataError(f"{content} is a mask of colors; expected one of numbers, in gray.")
    return values


def _decode(
    content: NamedBytes, read: Callable[[NamedBytes, int], T], queue: JobQueue
) -> tuple[Header, T]:
    """Header of a file and what a reader makes of it, in a process that is ended in time."""
    most = queue.limits.pixels
    header = queue.decoders.call(0, read_header, content, most)
    pixels = header.width * header.height * math.ceil(header.channels / 4)
    need_pixels(pixels)
    return header, queue.decoders.call(pixels, read, content, most)


def _content(upload: UploadFile) -> NamedBytes:
    upload.file.seek(0)  # work on a large image comes here twice
    return NamedBytes(safe_name(upload.filename), upload.file.read())
