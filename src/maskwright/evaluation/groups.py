"""Scores of images by case, and groups of images by a column of the manifest."""

import math
from collections.abc import Sequence

import numpy as np

from maskwright.data.readers.tables import column_name
from maskwright.data.samples import Sample, first_few, grouped
from maskwright.errors import ConfigError
from maskwright.metrics.confusion import defined_mean

_NOT_STATED = "not stated"
_MOST_NUMBERS = 8  # different numbers in a column, above which they are divided into ranges
_RANGES = 3
_MOST_GROUPS = 50
_TO = " to "


def case_means(values: np.ndarray, cases: Sequence[str]) -> np.ndarray:
    """Mean of the values of images `(n, …)` of each case, sorted by name; nan is left out."""
    places = np.unique(np.array(cases), return_inverse=True)[1]
    number = places.max(initial=-1) + 1
    return np.stack([defined_mean(values[places == place], axis=0) for place in range(number)])


def column_groups(samples: Sequence[Sample], column: str) -> dict[str, list[int]]:
    """Places of the samples by what a column of the manifest or of groups.csv says of them.

    More than a few different numbers, such as ages, become three ranges of as many images each.
    `"label"` is also the label that folders state, `"case"` the case, wherever it comes from. Empty
    cells are a group of their own, the last.

    Raises:
        ConfigError: If no sample has the column, or it holds too many different values.
    """
    column = column_name(column)
    cells = [_cell(sample, column) for sample in samples]
    if not any(cells):
        names = sorted(
            {name for sample in samples for name, cell in sample.columns.items() if cell}
        )
        raise ConfigError(
            f"Expected a column of the manifest or of groups.csv to group by; received {column!r}, "
            f"of which the images of the split have no value. "
            + (f"Their columns: {first_few(names, 20)}." if names else "They have no columns.")
        )
    numbers = {cell: _number(cell) for cell in set(cells) - {""}}
    if len(set(numbers.values())) > _MOST_NUMBERS and None not in numbers.values():
        values = np.array([numbers.get(cell) for cell in cells], float)  # of "", nan
        named = _range_names(values)
    else:
        named = cells
    groups = grouped(range(len(cells)), lambda place: named[place])
    if len(groups) > _MOST_GROUPS:
        raise ConfigError(
            f"The column {column!r} has {len(groups)} different values; expected numbers, or at "
            f"most {_MOST_GROUPS} groups."
        )
    order = sorted(groups, key=lambda name: (not name, _start(name), name))
    return {name or _NOT_STATED: groups[name] for name in order}


def _cell(sample: Sample, column: str) -> str:
    fields = {"label": sample.label or "", "case": sample.case}
    return sample.columns.get(column) or fields.get(column, "")


def _number(cell: str) -> float | None:
    """Value of a cell that is a finite number."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _start(name: str) -> float:
    """Number that the name of a group begins with, to order by."""
    value = _number(name.partition(_TO)[0])
    return math.inf if value is None else value


def _range_names(values: np.ndarray) -> list[str]:
    """Name of the third of the values that each lies in, such as `31 to 47`; `""` for nan."""
    shares = np.arange(1, _RANGES) / _RANGES
    limits = np.quantile(values[~np.isnan(values)], shares, method="lower")
    places = np.searchsorted(limits, values)  # nan comes last
    names = [""] * len(values)
    for place in range(_RANGES):
        members = np.flatnonzero((places == place) & ~np.isnan(values))
        if members.size:
            low, high = values[members].min(), values[members].max()
            for member in members:
                names[member] = f"{low:g}{_TO}{high:g}" if high > low else f"{low:g}"
    return names
