"""What `/predict` answers for an image: a mask, its bounds, and what promises say of it."""

import json
from typing import Literal, NamedTuple

import numpy as np
from fastapi import Response
from fastapi.responses import JSONResponse

from maskwright.errors import ConfigError, DataError, ModelError
from maskwright.labels import IGNORE_LABEL
from maskwright.serving.store.layer_formats import encode_layers, layer_png
from maskwright.serving.store.mask_formats import coco, label_png, polygons, probability_png
from maskwright.tasks.serving import AssessedMask, ServedSegmenter

TRUST_HEADER = "Maskwright-Trust"
"""Header of an answer with what is known of its masks, a list in JSON."""

Output = Literal["labels", "probability", "coco", "polygons", "outer", "inner"]
_BOUNDS = ("outer", "inner")


class DecodedImage(NamedTuple):
    """Pixels `(h, w, c)` of an uploaded image, and where it has no data; `None` without any."""

    name: str
    pixels: np.ndarray
    gap: np.ndarray | None


def encode_mask(
    segmenter: ServedSegmenter,
    image: DecodedImage,
    output: Output,
    shown: str | None,
    assessed: AssessedMask | None = None,
) -> Response:
    """Predict one image, unless it was assessed, and encode what was asked for.

    Labels are ignored where it has no data.
    """
    card, name, pixels = segmenter.predictor.card, image.name, image.pixels[None]
    if assessed is not None and output in _BOUNDS:
        data = _encode_bound(assessed, image.gap, output, shown)
        return Response(data, media_type="image/png")
    wants_probabilities = output == "probability"
    prediction = None if assessed is None else assessed.prediction
    if prediction is None or (wants_probabilities and prediction.probabilities is None):
        (prediction,) = segmenter.predict(segmenter.predictor, pixels, wants_probabilities)
    if image.gap is not None and not segmenter.has_objects:
        prediction.labels[image.gap] = IGNORE_LABEL
    if wants_probabilities and prediction.probabilities is not None:
        data = probability_png(prediction.probabilities, card.labels, shown)
    elif prediction.labels.ndim == 3:
        media_type, data = encode_layers(name, prediction.labels, output, card.labels, shown)
        return Response(data, media_type=media_type)
    elif shown is not None:
        raise ConfigError("`class` has no effect here; it chooses one of output=probability.")
    elif output == "coco":
        labels, objects = prediction.labels, prediction.objects
        content = coco(name, labels, objects, card.labels, card.background)
        if assessed is not None and assessed.object_sets is not None:
            pairs = zip(content["annotations"], assessed.object_sets, strict=True)
            content["annotations"] = [{**each, "sets": sets} for each, sets in pairs]
        return JSONResponse(content)
    elif output == "polygons":
        data = polygons(prediction.labels, card.labels, card.background)
        return Response(data, media_type="application/json")
    elif prediction.instances is not None:
        data = label_png(prediction.instances)
    else:
        data = label_png(prediction.labels, card.labels)
    return Response(data, media_type="image/png")


def assess_image(
    segmenter: ServedSegmenter, pixels: np.ndarray, output: str
) -> tuple[AssessedMask | None, list[str]]:
    """What is known of the masks of an image `(h, w, c)`, or why nothing is.

    Raises `ConfigError` where bounds were asked for and there are none.
    """
    reasons = []
    if segmenter.assess is not None:
        try:
            return segmenter.assess(segmenter.predictor.card, pixels), []
        except (DataError, ModelError) as error:
            reasons = [str(error)]
    if output in _BOUNDS:
        missing = "This model has no promises from which bounds are made."
        raise ConfigError(reasons[0] if reasons else missing)
    return None, reasons


def _encode_bound(
    assessed: AssessedMask, gap: np.ndarray | None, output: str, shown: str | None
) -> bytes:
    """Outer or inner mask of a class as PNG: 255 inside, 0 outside, 128 in `gap` without data; of
    objects, their numbers in 16 bits.
    """
    names = [name for kind, name in assessed.bounds if kind == output]
    name = names[0] if shown is None and len(names) == 1 else shown
    if name is None or name not in names:
        listed = ", ".join(names) or "none"
        raise ConfigError(f"Expected `class` to be one with an {output} mask: {listed}.")
    bound = assessed.bounds[output, name]
    if bound.dtype != bool:
        return label_png(bound)
    mask = bound.astype(np.uint8)
    if gap is not None:
        mask[gap] = IGNORE_LABEL
    return layer_png(mask)


def trust_header(assessed: AssessedMask) -> str:
    """What is known of the masks, with four digits."""
    masks = [
        {key: round(value, 4) if isinstance(value, float) else value for key, value in mask.items()}
        for mask in assessed.masks
    ]
    return json.dumps(masks)
