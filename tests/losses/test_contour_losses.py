import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from maskwright.losses import Boundary, CenterlineDice
from maskwright.losses.geometry import distance, soft_skeleton


@pytest.mark.parametrize("reach", [1, 2, 6, 40])
def test_distances_are_euclidean_up_to_the_reach(reach):
    masks = np.random.default_rng(0).random((2, 3, 23, 17)) < 0.02
    masks[0, 0] = False
    far = [[np.minimum(distance_transform_edt(~mask), reach) for mask in row] for row in masks]
    far[0][0] = np.full(masks.shape[2:], reach)
    np.testing.assert_allclose(distance(masks, reach), far, rtol=1e-6)


def test_what_is_wrong_counts_by_its_distance_from_the_boundary():
    labels = np.array([[[0, 0, 1, 1, 1, 1]]])
    # The boundary is 1.5 and 0.5 away on the left, then 0.5, 1.5 and, at the reach, 2.5 twice.
    shares = np.array([1.5, 0.5, 0.5, 1.5, 2.5, 2.5]) / 2.5
    value = float(Boundary(reach=3)(labels, np.zeros((1, 1, 6, 2), "float32")))
    assert value == pytest.approx(np.mean(0.5 * shares))


def test_ignored_pixels_are_on_no_side():
    labels = np.array([[[0, 255, 1, 1]]])
    # Seen from either side, the first pixel beyond is now two away.
    value = float(Boundary(reach=3)(labels, np.zeros((1, 1, 4, 2), "float32")))
    assert value == pytest.approx(0.5 * (1.5 + 1.5 + 2.5) / 2.5 / 3)


def test_it_is_the_paper_less_the_value_of_the_truth():
    rng = np.random.default_rng(1)
    labels, logits = rng.integers(3, size=(1, 9, 9)), rng.normal(size=(1, 9, 9, 3))
    guess = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    values = []
    for number in (1, 2):
        truth = labels == number
        outer, inner = distance_transform_edt(~truth), distance_transform_edt(truth)
        signed = np.where(truth, 0.5 - inner, outer - 0.5) / 19.5
        values.append(np.mean(signed * guess[..., number]) - np.mean(signed * truth))
    value = float(Boundary(reach=20)(labels, logits.astype("float32")))
    assert value == pytest.approx(np.mean(values), rel=1e-5)


def test_a_reach_of_nothing_is_refused():
    with pytest.raises(ValueError, match="reach"):
        Boundary(reach=0)


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
