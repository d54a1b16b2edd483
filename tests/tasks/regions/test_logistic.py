import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from maskwright.tasks.regions.learning.objective import fit_logistic


def drawn():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 4))
    labels = (values @ [2.0, -1.0, 0.0, 0.5] + rng.normal(size=60) > 0.5).astype(int)
    return values, labels, rng.uniform(0.2, 3, 60)


@pytest.mark.parametrize("penalty", [1.0, 4.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_as_scikit_learn_fits_it(penalty, weighted):
    values, labels, weights = drawn()
    given = weights if weighted else None
    # Its penalty is on the errors: 1 / C on the kernel.
    oracle = LogisticRegression(C=1 / penalty, tol=1e-8).fit(values, labels, given)
    kernel, bias = fit_logistic(values, labels, given, penalty)
    np.testing.assert_allclose(kernel, oracle.coef_[0], atol=1e-3)
    assert bias == pytest.approx(oracle.intercept_[0], abs=1e-3)


def test_without_measures_the_bias_is_the_logit_of_the_share():
    kernel, bias = fit_logistic(np.zeros((4, 2)), [1, 1, 1, 0])
    np.testing.assert_allclose(kernel, 0, atol=1e-6)
    assert bias == pytest.approx(np.log(3), abs=1e-4)


def test_what_parts_perfectly_stays_finite():
    values = np.array([[-1e3], [-1.0], [1.0], [1e3]])
    kernel, bias = fit_logistic(values, [0, 0, 1, 1])
    assert 0 < kernel[0] < 10
    assert bias == pytest.approx(0, abs=1e-3)
