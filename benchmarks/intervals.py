"""How often `compare` calls one of two equal models better, by the number of cases.

    python benchmarks/intervals.py

Cases of unequal size and difficulty are drawn, and both models err on them by chance alone. One
JSON line for each number of cases: the share of data sets in which a difference is said to be
shown, of the 5 % that a 95 % interval allows, with plain and with expanded percentiles.
"""

import json
from typing import Annotated

import numpy as np
import typer

from maskwright.metrics import paired_difference, tally
from maskwright.metrics.bootstrap import add_by_case, interval, resample, sign_shown

_CASES = (6, 8, 10, 20, 50)


def main(
    data_sets: Annotated[int, typer.Option(help="Drawn for each number of cases.")] = 2000,
    draws: Annotated[int, typer.Option(help="Of the bootstrap.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of everything.")] = 0,
) -> None:
    rng = np.random.default_rng(seed)
    for number in _CASES:
        wrong = {"plain": 0, "expanded": 0}
        cases = [str(case) for case in range(number)]
        for _ in range(data_sets):
            sizes = rng.integers(500, 3000, number)
            ease = rng.uniform(0.5, 0.9, number)
            pair = [tally(_counts(rng, sizes, ease)) for _ in range(2)]
            drawn = resample(add_by_case(np.stack(pair, axis=1), cases), draws, seed).mean_dice
            wrong["plain"] += sign_shown(interval(drawn[:, 0] - drawn[:, 1])) != 0
            ends = paired_difference(*pair, cases, draws=draws, seed=seed).ends
            wrong["expanded"] += sign_shown(ends.mean_dice) != 0
        shares = {name: round(count / data_sets, 4) for name, count in wrong.items()}
        print(json.dumps({"cases": number, **shares}), flush=True)


def _counts(rng: np.random.Generator, sizes: np.ndarray, ease: np.ndarray) -> np.ndarray:
    """Background and object of each case: a share of the object is found, a tenth is false."""
    found = (np.clip(ease + rng.normal(0, 0.03, len(sizes)), 0, 1) * sizes).astype(int)
    false = rng.binomial(sizes, 0.1)
    background = np.stack([20_000 - false, false], axis=-1)
    return np.stack([background, np.stack([sizes - found, found], axis=-1)], axis=1)


if __name__ == "__main__":
    typer.run(main)
