"""Logistic regression on measures: the baseline, and the initial weights of a classifier."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log1p


def fit_logistic(
    values: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None, penalty: float = 1.0
) -> tuple[np.ndarray, float]:
    """Kernel `(m,)` and bias of the logit with maximum penalized likelihood.

    Args:
        values: Standardized, `(n, m)`.
        labels: 0 or 1, `(n,)`.
        weights: Sample weights, `(n,)`; `None` for ones.
        penalty: Factor of half the squared norm of the kernel; 1 is scikit-learn's `C=1`.
    """
    values = np.asarray(values, np.float64)
    sign = 2.0 * np.asarray(labels) - 1
    weight = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)

    def cost(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        kernel = parameters[:-1]
        margin = sign * (values @ kernel + parameters[-1])
        # log(1 + exp(-margin)), without overflow
        loss = np.maximum(-margin, 0) + log1p(np.exp(-np.abs(margin)))
        slope = -weight * sign * expit(-margin)
        gradient = np.append(values.T @ slope + penalty * kernel, slope.sum())
        return float(weight @ loss + penalty / 2 * kernel @ kernel), gradient

    start = np.zeros(values.shape[1] + 1)
    result = minimize(cost, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000})
    return result.x[:-1], float(result.x[-1])
