"""What differs between models of masks, of objects and of regions when they are exported."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.geometry import resize_image
from maskwright.export.ensemble import Logits
from maskwright.export.formats import chooses_boxes, of_one_size
from maskwright.export.parity import (
    FLOAT,
    OBJECTS,
    Parity,
    ParityLimits,
    PredictorFactory,
    measure,
    measure_decisions,
    measure_objects,
    probabilities,
)
from maskwright.export.probabilities import activate
from maskwright.export.runtime import (
    CLASSIFIER_PARTS,
    ClassifierFn,
    artifact_decisions,
    artifact_logits,
    artifact_objects,
    keras_decisions,
    keras_logits,
    keras_objects,
)
from maskwright.export.smoke_test import Example, drawn_bags, drawn_image
from maskwright.model_card import InstanceCard, ModelCard, RegionCard, SemanticCard

_OTHER_SIDE_PX = 97  # odd, and no multiple of any stride
_USUAL_SIDE_PX = 256

PixelRange = tuple[float, float] | None


@dataclass(frozen=True)
class ExportTask:
    """How models of one kind are exported. A function is what `export.runtime` makes of a model.

    Args:
        card: Of such models.
        limits: That an exported one may differ by.
        function: Of a Keras model.
        opened: Function of the network in a folder, in its engine.
        networks: Of a Keras model and its card, the models to be written, by their folders in the
            artifact.
        draw: From card, pixels of black and white, and Keras model (`None` for several) to what it
            is compared on, in two sizes; the first becomes the self-test.
        compare: Two functions, on such examples.
        answer: Of a function to an example: labels, or probabilities.
    """

    card: type[ModelCard]
    limits: ParityLimits
    function: Callable[[Any], Any]
    opened: Callable[[Path, str, Any], Any]
    networks: Callable[[Any, Any], Mapping[str, Any]]
    draw: Callable[[Any, PixelRange, Any], Sequence[Example]]
    compare: Callable[[Any, Any, Any, Sequence[Example]], Parity]
    answer: Callable[[Any, Any, Example], np.ndarray]


def ways(find: PredictorFactory) -> dict[str, ExportTask]:
    """Ways by the kind of card.

    Args:
        find: Makes what finds objects of a model and a card.
    """

    def compare_objects(
        one: Any, other: Any, card: InstanceCard, some: Sequence[Example]
    ) -> Parity:
        images = [example["image"] for example in some]
        return _of_sizes(measure_objects(one, other, card, images, find), some)

    return {
        SemanticCard.task: ExportTask(
            card=SemanticCard,
            limits=FLOAT,
            function=keras_logits,
            opened=lambda folder, engine, card: artifact_logits(folder, engine),
            networks=_whole,
            draw=_images,
            compare=_compare_masks,
            answer=_labels,
        ),
        InstanceCard.task: ExportTask(
            card=InstanceCard,
            limits=OBJECTS,
            function=keras_objects,
            opened=lambda folder, engine, card: artifact_objects(folder, engine, card.method),
            networks=_whole,
            draw=_images,
            compare=compare_objects,
            answer=lambda say, card, example: (
                find(say, card)(example["image"]).classes().astype(np.uint8)
            ),
        ),
        RegionCard.task: ExportTask(
            card=RegionCard,
            limits=FLOAT,
            function=keras_decisions,
            opened=lambda folder, engine, card: artifact_decisions(folder, engine),
            networks=_two_parts,
            draw=lambda card, pixel_range, model: drawn_bags(card, _spread(model), 0),
            compare=measure_decisions,
            answer=_probabilities,
        ),
    }


def _whole(model: Any, card: SemanticCard | InstanceCard) -> Mapping[str, Any]:
    one_size = card.size is not None and not chooses_boxes(model)
    return {"": of_one_size(model, card.size) if one_size and card.size else model}


def _two_parts(model: Any, card: RegionCard) -> Mapping[str, Any]:
    from maskwright.models import parts

    return dict(zip(CLASSIFIER_PARTS, parts(model), strict=True))


def _images(
    card: SemanticCard | InstanceCard, pixel_range: PixelRange, model: Any
) -> list[Example]:
    usual = card.size or (card.tile or _USUAL_SIDE_PX,) * 2
    sizes = (usual, (_OTHER_SIDE_PX, _OTHER_SIDE_PX + 34))
    drawn = [drawn_image(card, size, 0, pixel_range) for size in sizes]
    if card.size is None:
        return [{"image": image} for image in drawn]
    stretched = [resize_image(image, card.size) for image in drawn]
    return [
        {"image": image, "size": np.array(size)}
        for image, size in zip(stretched, sizes, strict=True)
    ]


def _spread(model: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean and deviation of the measures that a classifier knows."""
    for layer in model.layers:
        if layer.name == "standardize":
            return np.asarray(layer.mean), np.asarray(layer.std)
    return None


def _compare_masks(
    model: Logits, exported: Logits, card: SemanticCard, examples: Sequence[Example]
) -> Parity:
    images = [(example["image"], example.get("labels")) for example in examples]
    return _of_sizes(measure(model, exported, card, images), examples)


def _of_sizes(parity: Parity, examples: Sequence[Example]) -> Parity:
    """The same with the sizes that images had before they were stretched."""
    sizes = [example.get("size", example["image"].shape[:2]) for example in examples]
    different = dict.fromkeys((int(height), int(width)) for height, width in sizes)
    return replace(parity, sizes=tuple(different))


def _labels(logits: Logits, card: SemanticCard, example: Example) -> np.ndarray:
    image = example["image"]
    values = activate(logits(image[None]), (1, *image.shape[:2]), card)
    return values[0].argmax(-1).astype(np.uint8)


def _probabilities(decide: ClassifierFn, card: RegionCard, example: Example) -> np.ndarray:
    return probabilities(decide(example), card)["logits"][:, 0]
