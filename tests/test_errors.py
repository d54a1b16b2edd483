"""What is true of all errors."""

import pytest

from maskwright.errors import DataError


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("Expected\n  a mask,\tnot \ud800.", r"Expected a mask, not \ud800."),
        ("a\x1b[31mred\x00 é 日本", r"a\x1b[31mred\x00 é 日本"),
    ],
)
def test_a_message_is_one_printable_line(message, line):
    assert str(DataError(message)) == line


def test_a_long_value_is_cut_where_it_is_least_missed():
    text = str(DataError(f"Expected a size, received {'9' * 5000}; write 64x64."))
    assert len(text) < 1001
    assert text.startswith("Expected a size, received 9")
    assert text.endswith("9; write 64x64.")
    assert len(str(DataError("\0" * 900))) < 1001  # each of which takes four
