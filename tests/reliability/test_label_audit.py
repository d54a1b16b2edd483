import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.labels import IGNORE_LABEL
from maskwright.reliability.label_audit import audit_layers, label_score, piece_pixels, worst_piece


def sure_of(labels, probability=0.9, num_classes=3):
    """Probabilities `(h, w, classes)` of a model that is equally sure of all labels."""
    rest = (1 - probability) / (num_classes - 1)
    return np.where(np.arange(num_classes) == labels[..., None], probability, rest)


def scene(rng):
    """Labels of a square of class 1 on class 0."""
    labels = np.zeros((32, 32), np.uint8)
    top, left = rng.integers(2, 14, 2)
    labels[top : top + 14, left : left + 14] = 1
    return labels


def predicted(rng, labels):
    """Probabilities that doubt along the outlines, and are noisy everywhere."""
    inside = np.stack([labels == c for c in range(3)], axis=-1).astype(float)
    spread = sum(np.roll(inside, shift, axis) for shift in (-1, 0, 1) for axis in (0, 1)) / 6
    mixed = 0.9 * spread + 0.1 * rng.dirichlet(np.ones(3), labels.shape)
    return (mixed / mixed.sum(axis=-1, keepdims=True)).astype(np.float32)


def test_score_of_two_pixels():
    probabilities = np.array([[[0.9, 0.1], [0.2, 0.8]]])
    given = np.array([[0, 0]])
    # Weights of 0.9 and 0.2 are exp(-0.7 / 0.2) and 1.
    small = np.exp(-3.5)
    soft_minimum = (0.9 * small + 0.2) / (small + 1)
    # Class 0: Dice 2 / 3 is observed, 1.8 / (1 + 1.1) expected; class 1 is given nowhere.
    found, none = 1 - 1.8 / 2.1 + 0.05, 1 - 1.6 / 1.9 + 0.05
    agreement = (found / (found + 1 / 3) + none / (none + 1)) / 2
    assert label_score(probabilities, given) == pytest.approx((soft_minimum + agreement) / 2)
    without = (soft_minimum + none / (none + 1)) / 2
    assert label_score(probabilities, given, background=0) == pytest.approx(without)
    half = np.array([[0, IGNORE_LABEL]])
    assert label_score(probabilities, half, background=0) == pytest.approx((0.9 + 1) / 2)
    assert np.isnan(label_score(probabilities, np.full((1, 2), IGNORE_LABEL)))


def test_a_model_that_knows_it_is_weak_accuses_less():
    truth = np.zeros((10, 10), np.uint8)
    truth[2:8, 2:8] = 1
    given = np.roll(truth, 2, axis=0)
    sure, unsure = (label_score(sure_of(truth, p), given, background=0) for p in (0.95, 0.5))
    assert sure < unsure


def test_worst_piece_by_hand():
    truth = np.zeros((8, 10), np.uint8)
    truth[1:4, 2:6] = 2
    given = truth.copy()
    given[1:4, 2:6] = 0  # an object of 12 pixels that was forgotten
    given[6, 7:10] = 1  # three pixels that are there by mistake
    given[0] = IGNORE_LABEL
    piece = worst_piece(sure_of(truth), given)
    assert (piece.box, piece.given, piece.predicted, piece.area_px) == ((1, 2, 4, 6), 0, 2, 12)
    assert piece.surplus == pytest.approx(12 * (0.9 - 0.05))
    assert worst_piece(sure_of(truth), truth) is None


def test_the_worst_is_a_piece_and_not_many_small_ones():
    truth = np.zeros((9, 20), np.uint8)
    given = truth.copy()
    given[::2, ::2] = 1  # 50 single pixels
    given[3:6, 4:8] = 2  # one piece of 12, over two of them
    assert worst_piece(sure_of(truth), given).given == 2


def test_spoiled_masks_come_first():
    rng = np.random.default_rng(0)
    scores, found = [], []
    for number in range(60):
        truth = scene(rng)
        given = truth.copy()
        if number < 12:
            rows, columns = np.nonzero(truth)
            top, left = rows.min(), columns.min()
            given[top : top + 14, left : left + 7] = 0
            piece = worst_piece(predicted(rng, truth), given)
            found.append(abs(np.array(piece.box) - [top, left, top + 14, left + 7]).max() <= 1)
        scores.append(label_score(predicted(rng, truth), given))
    assert set(np.argsort(scores)[:12]) == set(range(12))
    assert all(found)


def test_what_does_not_fit_is_told():
    with pytest.raises(DataError, match="of one size"):
        label_score(np.zeros((2, 2, 3)), np.zeros((2, 3), int))
    with pytest.raises(DataError, match="the model's 3 classes; received 0 to 7"):
        worst_piece(np.zeros((1, 2, 3)), np.array([[0, 7]]))


def test_of_layers_the_worst_counts():
    given = np.zeros((8, 8, 2), np.uint8)
    given[2:5, 2:5, 0] = 1
    values = np.where(given == 1, 0.9, 0.1).astype(np.float32)
    score, piece = audit_layers(values, given)
    assert (score, piece) == (label_score(two(values[..., 0]), given[..., 0], 0), None)
    values[6:8, 0:4, 1] = 0.8  # the second class is missing there
    score, piece = audit_layers(values, given)
    assert score == label_score(two(values[..., 1]), given[..., 1], 0)
    assert (piece.box, piece.given, piece.predicted) == ((6, 0, 8, 4), 3, 1)
    found = piece_pixels(given, (values > 0.5).astype(np.uint8), piece)
    assert found[6:8, 0:4].all()
    assert found.sum() == 8


def two(values):
    return np.stack([1 - values, values], axis=-1)
