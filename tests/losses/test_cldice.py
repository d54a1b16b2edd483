import numpy as np
import pytest

from maskwright.losses import CenterlineDice
from maskwright.losses.cldice import soft_skeleton


def picture(*rows: str) -> np.ndarray:
    return np.array([[character == "#" for character in row] for row in rows])


def sure(mask: np.ndarray) -> np.ndarray:
    return np.where(mask[None, ..., None] == [0, 1], 30, -30).astype("float32")


LINE = picture("........", "........", "########", "........", "........")
BROAD = picture("........", "########", "########", "########", "........")


def test_the_skeleton_of_a_bar_is_its_middle():
    bar = picture(".........", ".#######.", ".#######.", ".#######.", ".........")
    middle = picture(".........", ".........", "..#####..", ".........", ".........")
    skeleton = soft_skeleton(bar[None, ..., None].astype("float32"), iterations=1)
    np.testing.assert_array_equal(skeleton[0, ..., 0], middle)
    assert not np.any(soft_skeleton(bar[None, ..., None].astype("float32"), iterations=0))


def test_a_gap_costs_its_share_of_the_line():
    broken = LINE.copy()
    broken[2, 3:5] = False
    # All of the guess lies on the line; of the line 6 pixels of 8 are found, one added to both.
    recall = (6 + 1) / (8 + 1)
    expected = 1 - 2 * recall / (1 + recall)
    assert float(CenterlineDice()(LINE[None].astype(int), sure(broken))) == pytest.approx(expected)


def test_width_is_of_no_account():
    assert float(CenterlineDice()(LINE[None].astype(int), sure(BROAD))) == pytest.approx(0)


def test_a_line_beside_the_line_is_wrong():
    # Nothing is hit, and one is added to 0 of 8, twice: 1 / 9.
    value = float(CenterlineDice()(LINE[None].astype(int), sure(np.roll(LINE, 1, axis=0))))
    assert value == pytest.approx(1 - 1 / 9)


def test_every_class_but_the_first_counts_alike():
    labels = LINE[None].astype(int)
    three = np.concatenate([sure(LINE), np.full((1, 5, 8, 1), -30, "float32")], axis=-1)
    three[:, 4, :, 2] = 60  # eight pixels of a class that is not there: precision 1 / 9, recall 1
    expected = (0 + 1 - 2 * (1 / 9) / (1 + 1 / 9)) / 2
    assert float(CenterlineDice()(labels, three)) == pytest.approx(expected)
