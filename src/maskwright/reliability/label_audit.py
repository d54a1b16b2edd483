"""Labels that may be wrong: a score of each mask, and the place in it to look at."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from maskwright.errors import DataError
from maskwright.labels import IGNORE_LABEL

_TEMPERATURE = 0.2
_LEAST_ERROR = 0.05  # one minus Dice, which outlines drawn by people cost


@dataclass(frozen=True)
class SuspectPiece:
    """A connected piece of a mask whose label the model contradicts most.

    Args:
        box: Top, left, bottom and right in pixels, half-open.
        given: Label in the mask; of layers, that of the class, or without it the number of classes
            more.
        predicted: Label that is more probable, counted in the same way.
        area_px: Area.
        surplus: How much more probable the predicted label is than the given one, summed over the
            pixels.
    """

    box: tuple[int, int, int, int]
    given: int
    predicted: int
    area_px: int
    surplus: float


def label_score(
    probabilities: np.ndarray, given: np.ndarray, background: int | None = None
) -> float:
    """How well a mask agrees with a model that was not trained on it, 0 to 1; nan if all ignored.

    The mean of two scores, because each sees faults that the other passes over. One is the soft
    minimum over pixels of the probability of the given label: a few pixels that are surely wrong
    say more than the many doubtful ones along outlines, which every mask has. The other is the mean
    over classes of `expected / (expected + observed)`, of one minus Dice between the given and the
    predicted mask as it is, and as the probabilities expect it: where the model knows that it is
    weak, contradiction says little. It is one half where masks agree as well as expected.

    Args:
        probabilities: float32 `(h, w, classes)`, of a model that did not learn from this mask, as
            in cross-validation: one that did agrees with its faults.
        given: Labels `(h, w)`; `IGNORE_LABEL` does not count.
        background: Label that the second score leaves out, for it is large in most masks.

    Raises:
        DataError: If the shapes or the labels do not fit.

    Source: of the soft minimum, Lad and Mueller, Estimating label quality and errors in semantic
    segmentation data via any model, 2023, with twice its temperature, which bears models that
    learned from faults; the second score is ours.
    """
    _check(probabilities, given)
    counted = given != IGNORE_LABEL
    if not counted.any():
        return float("nan")
    values, labels = probabilities[counted].astype(np.float64), given[counted].astype(np.int64)
    confidence = np.take_along_axis(values, labels[:, None], axis=1)[:, 0]
    weights = np.exp((confidence.min() - confidence) / _TEMPERATURE)
    soft_minimum = (weights * confidence).sum() / weights.sum()
    return float((soft_minimum + _agreement(values, labels, background)) / 2)


def _agreement(values: np.ndarray, given: np.ndarray, background: int | None) -> float:
    """The second score of `label_score`, of pixels `(k, classes)` and labels `(k,)`."""
    predicted = values.argmax(axis=1)
    scores = []
    for label in np.union1d(given, predicted):
        if label == background:
            continue
        given_mask, mask, p = given == label, predicted == label, values[:, label]
        observed = 1 - 2 * (given_mask & mask).sum() / (given_mask.sum() + mask.sum())
        # Where none is predicted: whether there is probability for as much as a pixel.
        expected = 1 - 2 * p[mask].sum() / (mask.sum() + p.sum()) if mask.any() else min(p.sum(), 1)
        scores.append((expected + _LEAST_ERROR) / (expected + _LEAST_ERROR + observed))
    return float(np.mean(scores)) if scores else 1.0


def worst_piece(probabilities: np.ndarray, given: np.ndarray) -> SuspectPiece | None:
    """The place to look at: of all connected pieces of one given and one other predicted label,
    that with the largest `surplus`; `None` where the model agrees everywhere.

    Arguments and errors are as of `label_score`.
    """
    _check(probabilities, given)
    predicted = probabilities.argmax(axis=-1)
    wrong = (given != IGNORE_LABEL) & (predicted != given)
    surplus = (probabilities.max(axis=-1) - _confidence(probabilities, given)).astype(np.float64)
    num_classes = probabilities.shape[-1]
    pairs = np.where(wrong, given.astype(np.int64) * num_classes + predicted, -1)
    codes, place = np.unique(pairs[wrong], return_inverse=True)
    totals = np.bincount(place, surplus[wrong], codes.size)
    worst: SuspectPiece | None = None
    for pair in np.argsort(-totals, kind="stable").tolist():
        if worst is not None and totals[pair] <= worst.surplus:
            break  # no piece has more than all pieces of its labels together
        mask = (pairs == codes[pair]).view(np.uint8)
        _, pieces, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        sums = np.bincount(pieces.ravel(), surplus.ravel(), len(statistics))
        number = 1 + int(sums[1:].argmax())
        if worst is None or sums[number] > worst.surplus:
            left, top, width, height, area = statistics[number].tolist()
            worst = SuspectPiece(
                box=(top, left, top + height, left + width),
                given=int(codes[pair]) // num_classes,
                predicted=int(codes[pair]) % num_classes,
                area_px=area,
                surplus=float(sums[number]),
            )
    return worst


def audit_layers(probabilities: np.ndarray, given: np.ndarray) -> tuple[float, SuspectPiece | None]:
    """`label_score` of the worst layer, and the `worst_piece` of all, of classes that overlap.

    Each layer is a mask of two labels. The score is nan if all pixels are ignored.

    Args:
        probabilities: float32 `(h, w, classes)`, of each class alone.
        given: Layers `(h, w, classes)`, 1 in the pixels of a class.
    """
    num_classes = probabilities.shape[-1]
    if given.shape != probabilities.shape:
        raise DataError(
            f"Expected layers of the model's {num_classes} classes; received {given.shape[-1]}: "
            f"audit with a model of these classes."
        )
    scores, pieces = [], []
    for label in range(num_classes):
        values = np.stack([1 - probabilities[..., label], probabilities[..., label]], axis=-1)
        scores.append(label_score(values, given[..., label], 0))
        if (piece := worst_piece(values, given[..., label])) is not None:
            codes = (label + num_classes, label)
            pieces.append(
                replace(piece, given=codes[piece.given], predicted=codes[piece.predicted])
            )
    worst = max(pieces, key=lambda piece: piece.surplus, default=None)
    return float(min(scores)), worst


def piece_pixels(given: np.ndarray, predicted: np.ndarray, piece: SuspectPiece) -> np.ndarray:
    """Where masks differ as in a piece, bool `(h, w)`, of labels `(h, w)` or layers."""
    if given.ndim == 2:
        return np.asarray((given == piece.given) & (predicted == piece.predicted))
    num_classes = given.shape[-1]
    layer = piece.given % num_classes
    has_class = piece.given < num_classes
    return np.asarray(
        (given[..., layer] == int(has_class)) & (predicted[..., layer] == int(not has_class))
    )


def _confidence(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Probability of the given label of each pixel, `(h, w)`; of any label where it is ignored."""
    labels = np.where(given == IGNORE_LABEL, 0, given).astype(np.int64)
    return np.take_along_axis(probabilities, labels[..., None], axis=-1)[..., 0]


def _check(probabilities: np.ndarray, given: np.ndarray) -> None:
    if probabilities.ndim != 3 or probabilities.shape[:2] != given.shape:
        raise DataError(
            "Expected probabilities (h, w, classes) and labels (h, w) of one size; received "
            f"{probabilities.shape} and {given.shape}."
        )
    labels = given[given != IGNORE_LABEL]
    if labels.size and not 0 <= labels.min() <= labels.max() < probabilities.shape[-1]:
        raise DataError(
            f"Expected labels of the model's {probabilities.shape[-1]} classes; received "
            f"{int(labels.min())} to {int(labels.max())}: audit with a model of these classes."
        )
