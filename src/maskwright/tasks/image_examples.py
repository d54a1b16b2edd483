"""Examples on which an exported model of images is compared, whatever its task."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from maskwright.data import DataSet, Sample
from maskwright.data.geometry import cut_image, cut_labels, resize_image, resize_labels
from maskwright.export.export_task import Example, PixelRange, drawn_image
from maskwright.inference.pixels import model_pixels
from maskwright.model_card import InstanceCard, SemanticCard

_OTHER_SIDE_PX = 97  # odd, and no multiple of any stride
_USUAL_SIDE_PX = 256
_SIDE_PX = 512  # of the middle of larger images that is compared

ImageCard = SemanticCard | InstanceCard


def whole_network(model: Any, card: ImageCard) -> Mapping[str, Any]:
    """The network as it is, or for images of the working size alone."""
    return {"": of_one_size(model, card.size) if card.size else model}


def of_one_size(model: Any, size: tuple[int, int]) -> Any:
    """The same network for images of one height and width (px), which spares engines work."""
    import keras

    images = keras.Input((*size, model.input_shape[-1]), name="images")
    return keras.Model(images, model(images))


def drawn_examples(card: ImageCard, pixel_range: PixelRange, model: Any) -> list[Example]:
    """Two drawn images, of a usual and an odd size."""
    usual = card.size or (card.tile or _USUAL_SIDE_PX,) * 2
    sizes = (usual, (_OTHER_SIDE_PX, _OTHER_SIDE_PX + 34))
    images = [drawn_image(card, size, 0, pixel_range) for size in sizes]
    if card.size is None:
        return [{"image": image} for image in images]
    pairs = zip(images, sizes, strict=True)
    return [{"image": resize_image(i, card.size), "size": np.array(size)} for i, size in pairs]


def samples(
    card: ImageCard,
    dataset: DataSet,
    split: str,
    read: Callable[[Sample], tuple[np.ndarray, np.ndarray]] | None = None,
) -> Iterator[Example]:
    """Images of a split as the model takes them, of large ones the middle, and their labels.

    `read` gives an image and its labels, by default as the data set does.
    """
    read = read or dataset.read
    for sample in dataset.of(split):
        if not sample.masks:
            continue
        image, labels = read(sample)
        original: dict[str, np.ndarray] = {}
        if card.size is not None:
            original["size"] = np.array(labels.shape[:2])
            image, labels = resize_image(image, card.size), resize_labels(labels, card.size)
        else:
            size = (min(labels.shape[0], _SIDE_PX), min(labels.shape[1], _SIDE_PX))
            top, left = (labels.shape[0] - size[0]) // 2, (labels.shape[1] - size[1]) // 2
            image = cut_image(image, top, left, size)
            labels = cut_labels(labels, top, left, size)
        image = model_pixels(image[None], card)[0]
        yield {"image": image, "labels": labels, **original}


def original_sizes(examples: Sequence[Example]) -> tuple[tuple[int, ...], ...]:
    """Different heights and widths that images had before they were stretched, px."""
    sizes = [example.get("size", example["image"].shape[:2]) for example in examples]
    return tuple(dict.fromkeys((int(height), int(width)) for height, width in sizes))
