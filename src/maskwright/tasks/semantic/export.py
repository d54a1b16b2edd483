"""Export of models that label every pixel, and their fastest engine on this machine."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.export.engines import Threads
from maskwright.export.ensemble import is_ensemble
from maskwright.export.export_task import FLOAT, Example, ExportTask, Parity
from maskwright.export.runtime import Logits, activate, artifact_logits, keras_logits, mean_logits
from maskwright.inference.predictor import Predictor
from maskwright.metrics.confusion import confusion, scores
from maskwright.model_card import CARD_FILE, MODEL_FILE, SemanticCard, read_task
from maskwright.tasks.image_examples import drawn_examples, original_sizes, samples, whole_network
from maskwright.tasks.semantic.calibration.exported import export_promises, with_features
from maskwright.tasks.semantic.postprocessed import write_postprocessed


def compare_masks(
    model: Logits, exported: Logits, card: SemanticCard, examples: Sequence[Example]
) -> Parity:
    """Parity of two functions of images to logits, against true labels where there are some."""
    num_classes = max(card.labels.num_classes, 2)
    # Of both models, without ground truth masks and with them.
    table = np.zeros((2, 2, num_classes, num_classes), np.int64)
    largest, same, pixels, with_masks = 0.0, 0, 0, False
    for example in examples:
        image, true = example["image"], example.get("labels")
        shape = (1, image.shape[0], image.shape[1])
        first, second = (activate(run(image[None]), shape, card)[0] for run in (model, exported))
        largest = max(largest, float(np.abs(first - second).max()))
        labels = [values.argmax(-1) for values in (first, second)]
        same += int((labels[0] == labels[1]).sum())
        pixels += labels[0].size
        with_masks |= true is not None
        wanted = labels[0] if true is None else true
        for place in (0, 1):
            table[place, int(true is not None)] += confusion(wanted, labels[place], num_classes)
    dice = [float(scores(counts[int(with_masks)]).mean_dice) for counts in table]
    return Parity(
        sizes=original_sizes(examples),
        images=len(examples),
        difference=largest,
        agreement=same / max(pixels, 1),
        dice_change=dice[1] - dice[0],
        against="masks" if with_masks else "model",
        compared=pixels,
    )


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
    compare=compare_masks,
    answer=_labels,
    int8=True,
    join=mean_logits,
    outputs=with_features,
    promises=export_promises,
    postprocess=write_postprocessed,
    image_files=True,
)


def open_masks(
    folder: Path,
    threads: Threads,
    worth_preparing: Callable[[], bool],
    on_message: Callable[[str], None],
    task: ExportTask = EXPORT,
) -> Predictor:
    """Predictor of a model of a task in the fastest engine that is installed.

    `worth_preparing` is asked of a run of which nothing was prepared.
    """
    card_type: Any = task.card
    trained = (folder / MODEL_FILE).is_file() and (folder / CARD_FILE).is_file()
    if not trained or is_ensemble(folder) or read_task(folder / CARD_FILE) != task.card.task:
        return Predictor.load(folder, threads, card_type)
    from maskwright.export.engine_cache import open_prepared, prepare

    prepared = open_prepared(folder, threads, card_type)
    if prepared is None and worth_preparing():
        prepare(folder, task, on_message)
        prepared = open_prepared(folder, threads, card_type)
    if prepared is None:
        return Predictor.load(folder, threads, card_type)
    return Predictor(*prepared)
