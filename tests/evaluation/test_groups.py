from pathlib import Path

import pytest

from maskwright.data.samples import Sample
from maskwright.errors import ConfigError
from maskwright.evaluation.groups import column_groups


def samples_of(column, cells, label=None):
    return [
        Sample(f"{at}", Path(f"{at}.png"), (), f"{at}", label=label, columns={column: cell})
        for at, cell in enumerate(cells)
    ]


def test_images_are_grouped_by_what_a_column_says():
    samples = samples_of("scanner", ["GE", "", "Philips", "GE"])
    assert column_groups(samples, " Scanner") == {"GE": [0, 3], "Philips": [2], "not stated": [1]}
    assert list(column_groups(samples_of("patient", ["p"]), "Patient_ID")) == ["p"]
    # Few numbers are names, in their order.
    assert list(column_groups(samples_of("grade", ["10", "2", "2"]), "grade")) == ["2", "10"]


def test_many_numbers_become_three_ranges_of_as_many_images():
    ages = ["9", "80", "", "31", "32", "33", "47", "50", "51.5", "60"]
    assert column_groups(samples_of("age", ages), "age") == {
        "9 to 32": [0, 3, 4],
        "33 to 50": [5, 6, 7],
        "51.5 to 80": [1, 8, 9],
        "not stated": [2],
    }


def test_labels_and_cases_need_no_column():
    samples = samples_of("x", ["", ""], label="benign")
    assert column_groups(samples, "label") == {"benign": [0, 1]}
    assert column_groups(samples, "case") == {"0": [0], "1": [1]}


def test_an_unknown_column_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match=r"received 'site', .* Their columns: scanner\."):
        column_groups(samples_of("scanner", ["GE"]), "site")
    with pytest.raises(ConfigError, match=r"received 'site', .* They have no columns\."):
        column_groups(samples_of("scanner", [""]), "site")
    with pytest.raises(ConfigError, match="has 60 different values"):
        column_groups(samples_of("name", [f"n{at}" for at in range(60)]), "name")
