import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, logit
from sklearn import metrics as oracle
from sklearn.calibration import calibration_curve as oracle_curve

from maskwright.errors import DataError
from maskwright.metrics import (
    average_precision,
    brier,
    calibration_curve,
    decision_intervals,
    decision_scores,
    expected_calibration_error,
    fit_temperature,
    precision_recall_curve,
    roc_auc,
    roc_curve,
    sensitivity_at,
)
from maskwright.metrics.curves import BINS, binned_scores
from maskwright.metrics.decisions import DECISION_SCORES, binary_accuracy, difference_intervals
from maskwright.metrics.streaming import count_scores

LABELS = np.array([1, 0, 1, 1, 0, 0])
PROBABILITIES = np.array([0.9, 0.8, 0.8, 0.6, 0.4, 0.1])


def draw(num, seed=0):
    """Labels and probabilities that somewhat agree, with ties."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=num)
    probabilities = np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 1).round(2)
    return labels, probabilities


def intervals(labels, probabilities, cases):
    return dict(decision_intervals(labels, probabilities, cases))


def test_scores_worked_by_hand():
    result = decision_scores(LABELS, PROBABILITIES, specificity=0.6)
    # Pairs won by the positives: 0.9 all 3, the 0.8 that is tied 2.5, 0.6 the lower two.
    assert result.roc_auc == pytest.approx((3 + 2.5 + 2) / 9)
    # Steps of recall: 1 of 1 at 0.9, 2 of 3 at 0.8, 3 of 4 at 0.6.
    assert result.average_precision == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    np.testing.assert_array_equal(result.confusion, [[2, 1], [0, 3]])
    assert (result.sensitivity, result.specificity) == (1, pytest.approx(2 / 3))
    assert result.binary_accuracy == pytest.approx(5 / 6)
    # Two of three negatives are below 0.6.
    assert (result.sensitivity_at_specificity, result.threshold_at_specificity) == (1, 0.6)
    distances = [0.1, 0.8, 0.2, 0.4, 0.4, 0.1]
    assert result.brier == pytest.approx(np.square(distances).sum() / 6)
    # Parts of 0.1: only that of 0.8 holds two samples, one of each class.
    error = (0.1 + abs(0.8 + 0.8 - 1) + 0.4 + 0.4 + 0.1) / 6
    assert result.expected_calibration_error == pytest.approx(error)


def test_single_scores_are_those_of_all_scores():
    given = draw(300)
    result = decision_scores(*given)
    single = (roc_auc, average_precision, binary_accuracy, brier, expected_calibration_error)
    for score in single:
        assert score(*given) == pytest.approx(getattr(result, score.__name__))
        assert np.isnan(score(np.zeros(0, int), np.zeros(0)))
    # Logits have the same order as probabilities, and decide at 0.
    logits = logit(np.clip(given[1], 0.001, 0.999))
    assert roc_auc(given[0], logits) == pytest.approx(result.roc_auc)
    assert binary_accuracy(given[0], logits, threshold=0) == result.binary_accuracy


def test_sensitivity_comes_with_the_threshold_that_gives_it():
    assert sensitivity_at(LABELS, PROBABILITIES, 1) == (pytest.approx(1 / 3), 0.9)
    assert sensitivity_at(LABELS, 1 - PROBABILITIES, 1) == (0, np.inf)
    # Nine of ten negatives are a specificity of 0.9, and 1 - 1 / 10 is not quite that.
    labels, probabilities = np.repeat([0, 1], 10), np.r_[np.linspace(0, 0.9, 10), [0.9] * 10]
    assert sensitivity_at(labels, probabilities, 0.9) == (1, 0.9)
    assert decision_scores(labels, probabilities).sensitivity_at_specificity == 1


def test_agrees_with_scikit_learn():
    given = draw(300)
    result = decision_scores(*given)
    assert result.roc_auc == pytest.approx(oracle.roc_auc_score(*given))
    assert result.average_precision == pytest.approx(oracle.average_precision_score(*given))
    assert result.brier == pytest.approx(oracle.brier_score_loss(*given))
    expected = oracle.accuracy_score(given[0], given[1] >= 0.5)
    assert result.binary_accuracy == pytest.approx(expected)
    whole = oracle.roc_curve(*given, drop_intermediate=False)
    for ours, theirs in zip(roc_curve(*given), whole, strict=True):
        np.testing.assert_allclose(ours, theirs)
    precision, recall, thresholds = oracle.precision_recall_curve(*given)
    theirs = (precision[:-1], recall[:-1], thresholds)
    for ours, their in zip(precision_recall_curve(*given), theirs, strict=True):
        np.testing.assert_allclose(ours, their[::-1])


def test_a_calibration_curve_has_a_point_for_each_part_that_holds_samples():
    labels, _ = draw(300)
    probabilities = np.random.default_rng(1).random(300) * 0.7  # on no edge: there they differ
    mean, share, number = calibration_curve(labels, probabilities)
    shares, means = oracle_curve(labels, probabilities, n_bins=10)
    np.testing.assert_allclose(mean[:7], means)
    np.testing.assert_allclose(share[:7], shares)
    assert np.isnan(mean[7:]).all()
    assert number.sum() == 300
    expected = (number[:7] / 300) @ np.abs(means - shares)
    result = decision_scores(labels, probabilities)
    assert result.expected_calibration_error == pytest.approx(expected)


def test_one_class_has_no_curve_and_raises_nothing():
    for labels in (np.zeros(3, int), np.ones(3, int), np.zeros(0, int)):
        probabilities = np.array([0.2, 0.6, 0.9])[: len(labels)]
        result = decision_scores(labels, probabilities)
        assert np.isnan([result.roc_auc, result.sensitivity_at_specificity]).all()
        assert np.isnan(sensitivity_at(labels, probabilities, 0.5)).all()
        assert fit_temperature(labels, 3 * probabilities) == 1
        assert np.isnan(intervals(labels, probabilities, ["a"] * len(labels))["brier"][0])
    assert result.confusion.sum() == 0
    assert np.isnan(decision_scores(np.zeros(3, int), np.arange(3) / 3).average_precision)


@pytest.mark.parametrize("factor", [0.5, 1, 3])
def test_a_temperature_is_found_again(factor):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 4000)
    labels = (rng.random(4000) < expit(logits)).astype(int)
    assert fit_temperature(labels, factor * logits) == pytest.approx(factor, rel=0.06)


@pytest.mark.parametrize(("num", "scale"), [(4, 1), (10, 1), (40, 0.5), (500, 5), (500, 0.01)])
def test_a_temperature_of_sets_without_errors_stays_sane(num, scale):
    labels = np.arange(num) % 2
    logits = scale * (2 * labels - 1.0)
    temperature = fit_temperature(labels, logits)
    assert 0.05 <= temperature <= 1
    # No surer than one error in ten times the samples; the rule of succession says in n + 2.
    assert expit(scale / temperature) < 1 - 1 / (10 * num) or temperature > 0.9
    if (num, scale) == (10, 1):
        assert expit(1 / temperature) == pytest.approx(11 / 12, abs=0.01)


def test_intervals_by_case_are_wider_where_rows_repeat():
    labels, probabilities = draw(40)
    rows = np.repeat(np.arange(40), 10)
    by_row = intervals(labels[rows], probabilities[rows], [str(i) for i in range(400)])
    by_case = intervals(labels[rows], probabilities[rows], [str(i) for i in rows])
    assert np.isnan(by_case.pop("expected_calibration_error")).all()
    for name in by_case:
        assert np.ptp(by_case[name]) > 1.9 * np.ptp(by_row[name])
    # Repeats add nothing: each case once has the same interval.
    alone = intervals(labels, probabilities, [str(i) for i in range(40)])
    np.testing.assert_allclose(alone["roc_auc"], by_case["roc_auc"])


def test_perfect_decisions_are_not_certain():
    labels = np.arange(20) % 2
    ends = intervals(labels, 0.1 + 0.8 * labels, [str(i) for i in range(20)])
    # Ten positives and ten negatives: 0.025 ** (1 / 10); twenty in all: 0.025 ** (1 / 20).
    for name in ("roc_auc", "average_precision", "sensitivity", "specificity"):
        assert ends[name] == pytest.approx([0.6915, 1], abs=1e-4)
    assert ends["binary_accuracy"] == pytest.approx([0.8316, 1], abs=1e-4)


def test_differences_leave_the_same_case_out_of_both():
    labels, first = draw(60)
    cases = [str(i // 2) for i in range(60)]
    same = difference_intervals(labels, first, first, cases)
    assert all(np.isnan(ends).all() for ends in same.values())
    second = np.clip(first + np.random.default_rng(1).normal(0, 0.02, 60), 0, 1)
    apart = difference_intervals(labels, first, second, cases)
    alone = intervals(labels, first, cases)
    assert np.ptp(apart["roc_auc"]) < np.ptp(alone["roc_auc"]) / 2
    assert set(apart) == set(DECISION_SCORES)


def test_histograms_add_up_to_nearly_the_exact_scores():
    labels, probabilities = draw(1000)
    logits = 5 * logit(np.clip(probabilities, 0.01, 0.99)) + 1e-3  # most are nearly certain
    counts = np.zeros((2, BINS), np.int64)
    count = tf.function(count_scores)
    for part in np.split(np.arange(1000), 4):
        counts += np.asarray(count(labels[part], logits[part, None].astype("float32")))
    exact = decision_scores(labels, expit(logits))
    assert counts.sum(1).tolist() == np.bincount(labels).tolist()
    for name, value in binned_scores(counts).items():
        assert value == pytest.approx(getattr(exact, name), abs=2e-3)
    assert binned_scores(counts)["binary_accuracy"] == exact.binary_accuracy
    assert np.isnan(binned_scores(np.zeros((2, BINS)))["roc_auc"])


def test_what_is_neither_a_class_nor_a_number_falls_outside_histograms():
    counts = np.asarray(
        count_scores(np.array([1, -1, 255, 0]), np.array([[np.nan], [0], [0], [9e9]]))
    )
    assert (counts[1, 0], counts[0, -1], counts.sum()) == (1, 1, 2)


@pytest.mark.parametrize(
    ("labels", "probabilities", "expected"),
    [
        ([0, 1], [0.5], "one label and one value"),
        ([0, 2], [0.5, 0.5], r"received others: \[2\]"),
        ([0, 1], [0.5, np.nan], "finite"),
        ([0, 1], [0.5, 3], "from 0.5 to 3; apply the sigmoid"),
    ],
)
def test_what_does_not_fit_is_refused(labels, probabilities, expected):
    with pytest.raises(DataError, match=expected):
        decision_scores(np.array(labels), np.array(probabilities))
    with pytest.raises(DataError, match="case of each of 2"):
        decision_intervals(np.array([0, 1]), np.array([0, 1]), ["a"])
