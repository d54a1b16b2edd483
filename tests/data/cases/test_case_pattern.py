import pytest

from maskwright.data.cases.case_pattern import find_cases
from maskwright.errors import ConfigError


def test_the_first_group_is_the_case_whatever_the_names():
    names = ["p1_a", "p2_\n", "p3_\udcff", "p4_☃"]
    assert find_cases("^(p[0-9])_", names) == ["p1", "p2", "p3", "p4"]
    assert find_cases("_(.*)$", ["a_\udcff☃"]) == ["\udcff☃"]


def test_a_pattern_that_takes_for_ever_is_stopped():
    with pytest.raises(ConfigError, match="takes more than 5 seconds"):
        find_cases("^(a+)+$", ["a" * 40 + "b"])
