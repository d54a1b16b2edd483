import math

import pytest

from maskwright.errors import ConfigError
from maskwright.training import rate_factor


def test_climbs_evenly_then_falls_along_a_cosine():
    assert rate_factor(0.05, warmup=0.1) == pytest.approx(0.5)
    assert rate_factor(0.1, warmup=0.1) == pytest.approx(1.0)
    # Halfway between 0.1 and 1 the cosine is at a half, between 1 and the final 0.01.
    assert rate_factor(0.55, warmup=0.1) == pytest.approx(0.01 + 0.99 * 0.5)
    assert rate_factor(1.0, warmup=0.1) == pytest.approx(0.01)


def test_polynomial_has_the_power_of_deeplab_and_constant_stays():
    assert rate_factor(0.5, "polynomial", final=0.0) == pytest.approx(math.pow(0.5, 0.9))
    assert rate_factor(0.9, "constant") == 1.0


def test_unknown_schedule_is_refused():
    with pytest.raises(ConfigError, match="cosine, polynomial, constant; received 'linear'"):
        rate_factor(0.5, "linear")
