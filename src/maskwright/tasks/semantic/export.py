"""Export of models that label every pixel."""

from collections.abc import Iterable, Sequence

import numpy as np

from maskwright.export.export_task import ExportTask
from maskwright.export.logits import Logits, activate, artifact_logits, keras_logits
from maskwright.export.parity import FLOAT, Parity
from maskwright.export.smoke_test import Example
from maskwright.metrics.confusion import confusion, scores
from maskwright.model_card import SemanticCard
from maskwright.tasks.image_examples import drawn_examples, samples, whole_network, with_sizes


def measure_masks(
    model: Logits,
    exported: Logits,
    card: SemanticCard,
    images: Iterable[tuple[np.ndarray, np.ndarray | None]],
) -> Parity:
    """Compare two functions from images to logits.

    Args:
        images: `(h, w, c)` float32 as the model takes them, and their true labels `(h, w)`, or
            `None`.
    """
    num_classes = max(card.labels.num_classes, 2)
    # Of both models, without true masks and with them.
    table = np.zeros((2, 2, num_classes, num_classes), np.int64)
    sizes: dict[tuple[int, int], None] = {}
    largest, same, pixels, number, with_masks = 0.0, 0, 0, 0, 0
    for image, true in images:
        shape = (1, image.shape[0], image.shape[1])
        first, second = (activate(run(image[None]), shape, card)[0] for run in (model, exported))
        largest = max(largest, float(np.abs(first - second).max()))
        labels = [values.argmax(-1) for values in (first, second)]
        same += int((labels[0] == labels[1]).sum())
        pixels += labels[0].size
        sizes[image.shape[0], image.shape[1]] = None
        number += 1
        with_masks += true is not None
        wanted = labels[0] if true is None else true
        for place in (0, 1):
            table[place, int(true is not None)] += confusion(wanted, labels[place], num_classes)
    dice = [float(scores(counts[int(with_masks > 0)]).mean_dice) for counts in table]
    return Parity(
        sizes=tuple(sizes),
        images=number,
        difference=largest,
        agreement=same / max(pixels, 1),
        dice_change=dice[1] - dice[0],
        against="masks" if with_masks else "model",
        compared=pixels,
    )


def _compare(
    model: Logits, exported: Logits, card: SemanticCard, examples: Sequence[Example]
) -> Parity:
    images = [(example["image"], example.get("labels")) for example in examples]
    return with_sizes(measure_masks(model, exported, card, images), examples)


def _labels(logits: Logits, card: SemanticCard, example: Example) -> np.ndarray:
    image = example["image"]
    values = activate(logits(image[None]), (1, *image.shape[:2]), card)
    return values[0].argmax(-1).astype(np.uint8)


EXPORT = ExportTask(
    card=SemanticCard,
    limits=FLOAT,
    from_keras=keras_logits,
    from_artifact=artifact_logits,
    networks=whole_network,
    examples=drawn_examples,
    samples=samples,
    compare=_compare,
    answer=_labels,
    int8=True,
)
