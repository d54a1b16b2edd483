"""Counts of pixels and the scores that follow from them, in NumPy.

Counts are int64 and added up before any division: float32 stops being exact at 2**24, about
sixteen masks of one megapixel.
"""

from dataclasses import dataclass

import numpy as np

from maskwright.errors import DataError
from maskwright.labels import IGNORE_LABEL

EMPTY_RULE = (
    "A class that is neither in the ground truth nor in the prediction has no score and is left "
    "out of means; a class in only one of them scores 0."
)
"""The rule for empty masks; printed wherever scores are."""

IMAGE_RULE = (
    "Over images, a class counts in those whose ground truth holds it; what is predicted in the "
    "others is told apart, as false alarms."
)
"""The rule for means over images."""

TRUTH, PREDICTED = 0, 1
"""Rows of a tally that hold the sizes of the truth and of the prediction."""


@dataclass(frozen=True)
class Scores:
    """Scores from counts; leading axes are those of the counts, all values in [0, 1] or nan.

    A value is nan where it would be 0 / 0: see `EMPTY_RULE`. Precision of a class is undefined
    where it was never predicted, recall where it is not in the truth. The first four are
    `(…, classes)`; means over classes with a score, of all and of those that are not background,
    and the share of right pixels, are `(…)`.
    """

    iou: np.ndarray
    dice: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    mean_iou: np.ndarray
    mean_dice: np.ndarray
    foreground_iou: np.ndarray
    foreground_dice: np.ndarray
    pixel_accuracy: np.ndarray


def confusion(truth: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Count pixels by true and predicted class, int64 `(num_classes, num_classes)`.

    Pixels whose true label is `IGNORE_LABEL` are not counted. `DataError` if shapes differ or a
    counted label lies outside `[0, num_classes)`.
    """
    if truth.shape != predicted.shape:
        raise DataError(
            f"Expected masks of equal size; received a ground truth mask of {truth.shape} and a "
            f"prediction of {predicted.shape}."
        )
    counted = truth != IGNORE_LABEL
    if not counted.all():
        truth, predicted = truth[counted], predicted[counted]
    for name, labels in (("ground truth", truth), ("predicted", predicted)):
        if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
            raise DataError(
                f"Expected labels from 0 to {num_classes - 1}, received a {name} mask with labels "
                f"from {labels.min()} to {labels.max()}."
            )
    # The widest code, 255 * 255 - 1, fits into 32 bits with room to spare.
    codes = truth.astype(np.int32) * num_classes + predicted.astype(np.int32)
    counts = np.bincount(codes.ravel(), minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes).astype(np.int64)


def layer_confusion(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Count pixels of classes that overlap: in or not, in truth and prediction.

    Both masks are `(h, w, classes)`, 1 in the pixels of a class; pixels whose truth is
    `IGNORE_LABEL` are not counted. The result is int64 `(classes, 2, 2)`, with the truth in rows.
    `DataError` if shapes differ.
    """
    if truth.shape != predicted.shape:
        raise DataError(
            f"Expected masks of equal size and classes; received a ground truth of {truth.shape} "
            f"and a prediction of {predicted.shape}."
        )
    codes = np.where(truth == IGNORE_LABEL, 4, 2 * (truth == 1) + (predicted == 1))
    layers = np.moveaxis(codes, -1, 0).reshape(truth.shape[-1], -1)
    return np.stack([np.bincount(layer, minlength=5)[:4].reshape(2, 2) for layer in layers])


def tally(counts: np.ndarray) -> np.ndarray:
    """Sizes of truth, prediction and overlap of each class, `(…, 3, classes)`.

    Of classes that overlap, see `layer_tally`. All scores follow from these, and they take far less
    room than `counts`, `(…, classes, classes)`, whose rows are true classes.
    """
    overlap = np.diagonal(counts, axis1=-2, axis2=-1)
    return np.stack([counts.sum(-1), counts.sum(-2), overlap], axis=-2)


def layer_tally(counts: np.ndarray) -> np.ndarray:
    """As `tally`, `(3, classes)`, of what `layer_confusion` counts, `(classes, 2, 2)`."""
    return np.stack([counts[:, 1].sum(-1), counts[..., 1].sum(-1), counts[:, 1, 1]])


def scores(counts: np.ndarray, background: int | None = None) -> Scores:
    """Scores from counts, `(…, classes, classes)`; rows are true classes, columns predicted."""
    return tally_scores(tally(counts), background)


def tally_scores(
    tallies: np.ndarray, background: int | None = None, *, held_only: bool = False
) -> Scores:
    """Scores from tallies, `(…, 3, classes)`, as `tally` makes them.

    `background` is the class that the foreground means leave out, `None` for no such. With
    `held_only`, a class has scores only where the truth holds it, as befits means over images: what
    is predicted where it is not is told apart, see `false_areas`.
    """
    truth, predicted, overlap = np.moveaxis(tallies, -2, 0)
    iou = ratio(overlap, truth + predicted - overlap)
    dice = ratio(2 * overlap, truth + predicted)
    if held_only:
        iou, dice = (np.where(truth > 0, values, np.nan) for values in (iou, dice))
    front = foreground(tallies.shape[-1], background)
    return Scores(
        iou=iou,
        dice=dice,
        precision=ratio(overlap, predicted),
        recall=ratio(overlap, truth),
        mean_iou=defined_mean(iou, axis=-1),
        mean_dice=defined_mean(dice, axis=-1),
        foreground_iou=defined_mean(iou[..., front], axis=-1),
        foreground_dice=defined_mean(dice[..., front], axis=-1),
        pixel_accuracy=ratio(overlap.sum(-1), truth.sum(-1)),
    )


def foreground(num_classes: int, background: int | None) -> np.ndarray:
    """Labels of the classes that are not background, `(classes,)`."""
    return np.array([label for label in range(num_classes) if label != background], np.int64)


def defined_mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean of the values that are not nan; nan where there is none."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0).sum(axis), defined.sum(axis))


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Quotient of floats, nan where `below` is 0."""
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > 0)
