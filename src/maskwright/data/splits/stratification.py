"""Iterative stratification: divide cases so that each part holds its share of every class."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from maskwright.data.samples import Sample


def stratify(
    cases: Sequence[Sequence[Sample]],
    contents: Mapping[str, Collection[object]],
    sizes: Sequence[int],
    seed: int,
) -> list[int]:
    """Part of each case, by iterative stratification, so that parts hold alike of everything.

    Args:
        contents: Of a sample's id, what is to be spread.
        sizes: Cases in each part, in sum all.
        seed: Decides among equals.

    Source: Sechidis, Tsoumakas and Vlahavas, On the Stratification of Multi-Label Data, 2011,
    with cases in place of examples, and with every part that is asked for non-empty while there
    are cases enough.
    """
    rng = np.random.default_rng([seed, len(cases)])
    strata = sorted({str(item) for case in cases for s in case for item in contents.get(s.id, ())})
    column = {name: index for index, name in enumerate(strata)}
    # The last column counts the samples themselves, so that cases without content are spread too.
    amounts = np.zeros((len(cases), len(strata) + 1))
    for row, case in enumerate(cases):
        amounts[row, -1] = len(case)
        for sample in case:
            for item in contents.get(sample.id, ()):
                amounts[row, column[str(item)]] += 1
    wanted = np.outer(np.array(sizes) / len(cases), amounts.sum(axis=0))  # (parts, strata)
    order = rng.permutation(len(cases))
    result = np.full(len(cases), -1)
    while (free := order[result[order] < 0]).size:
        left = amounts[free].sum(axis=0)
        rarest = int(np.argmin(np.where(left > 0, left, np.inf)))
        # Large cases first: small ones can still even out what they leave.
        holders = free[amounts[free, rarest] > 0]
        for row in holders[np.argsort(-amounts[holders, -1], kind="stable")]:
            open_parts = wanted[:, -1] > 0
            need = np.where(open_parts, wanted[:, rarest], -np.inf)
            if not open_parts.any():
                need = wanted[:, -1]
            best = np.flatnonzero(need == need.max())
            part = int(best[np.argmax(wanted[best, -1])])
            result[row] = part
            wanted[part] -= amounts[row]
    for part, size in enumerate(sizes):
        if size and not (result == part).any():
            donor = int(np.argmax(np.bincount(result, minlength=len(sizes))))
            rows = np.flatnonzero(result == donor)
            result[rows[np.argmin(amounts[rows, -1])]] = part
    return [int(part) for part in result]
