import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.metrics import tally
from maskwright.metrics.recipes import recipe_difference


def drawn(rng, seeds, shares, luck):
    """Tallies of models of several seeds: found pixels of cells, with luck of seed and image."""
    found = shares + luck * rng.normal(size=(seeds, 1)) + 0.01 * rng.normal(size=(1, len(shares)))
    right = np.round(1000 * np.clip(found, 0, 1)).astype(int)
    counts = np.zeros((*right.shape, 2, 2), int)
    counts[..., 0, 0], counts[..., 1, 1], counts[..., 1, 0] = 5000, right, 1000 - right
    return tally(counts)


def test_luck_of_the_seed_is_no_difference_and_a_large_gain_is():
    rng = np.random.default_rng(0)
    shares = rng.uniform(0.6, 0.9, 20)
    told = [
        recipe_difference(
            drawn(rng, 3, shares, 0.03), drawn(rng, 3, shares, 0.03), range(20), background=0
        ).sign
        for _ in range(300)
    ]
    # 15 on average.
    assert np.count_nonzero(told) <= 15 + 2 * np.sqrt(300 * 0.05 * 0.95)
    better = drawn(rng, 3, shares + 0.1, 0.01)
    found = recipe_difference(better, drawn(rng, 3, shares, 0.01), range(20), background=0)
    assert found.sign == 1
    assert found.gain == pytest.approx(found.a.mean() - found.b.mean())
    assert found.from_seeds > found.from_cases  # which are easy or hard for both


def test_few_seeds_or_cases_give_no_interval():
    rng = np.random.default_rng(0)
    pair = [drawn(rng, 3, np.full(5, 0.5), 0.1) for _ in range(2)]
    assert np.isnan(recipe_difference(*pair, range(5)).ends).all()
    single = [one[:1] for one in pair]
    assert np.isnan(recipe_difference(*single, range(5)).ends).all()
    assert recipe_difference(*single, range(5)).sign == 0
    with pytest.raises(DataError, match="same images"):
        recipe_difference(pair[0], pair[1][:, :4], range(5))
