import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.labels import IGNORE_LABEL, Labels, default_colors, parse_color

LABELS = Labels.create(["background", "cell"], [(0, 0, 0), (255, 0, 0)])
MASK = np.array([[0, 1, 1, 1, 1, IGNORE_LABEL]] * 5)


def test_a_mask_is_painted_in_its_colors():
    assert LABELS.color(MASK)[0, [0, 1, 5]].tolist() == [[0, 0, 0], [255, 0, 0], [128, 128, 128]]


def test_an_overlay_leaves_background_and_ignored_pixels_alone():
    image = np.full((5, 6, 3), 100, np.uint8)
    shown = LABELS.overlay(image, MASK, opacity=0.5)
    assert shown[2, 0].tolist() == [100, 100, 100]
    assert shown[2, 5].tolist() == [100, 100, 100]
    assert shown[2, 1].tolist() == [255, 0, 0]  # the outline is opaque
    # Half of 100 and half of 255; half of 100 and nothing: rounded to even.
    assert shown[2, 2].tolist() == [178, 50, 50]


def test_background_is_known_by_its_name():
    assert LABELS.background == 0
    assert Labels.create(["cat", "BG"]).background == 1
    assert Labels.create(["cat", "dog"]).background is None


def test_colors_differ_and_survive_json():
    names = ["background", *(f"class {n}" for n in range(40))]
    assert len(set(default_colors(names))) == 41
    assert Labels.from_dict(LABELS.to_dict()) == LABELS
    assert LABELS.to_dict()["colors"] == ["#000000", "#FF0000"]


@pytest.mark.parametrize(
    ("names", "colors", "said"),
    [
        (["a", "a"], None, "repeated: a"),
        ([], None, "1 to 255 classes; received 0"),
        (["a", "b"], [(0, 0, 0)], "each of 2 classes; received 1"),
    ],
)
def test_wrong_labels_are_refused(names, colors, said):
    with pytest.raises(DataError, match=said):
        Labels.create(names, colors)


@pytest.mark.parametrize("text", ["red", "#12345", "#12345G"])
def test_what_is_no_color_is_refused(text):
    with pytest.raises(DataError, match="Expected a color"):
        parse_color(text)


def test_names_have_no_control_characters():
    assert Labels.create(["Hintergrund", "\u06a9\u0648\u0647\u200c\u0647\u0627"])
    with pytest.raises(DataError, match="printable"):
        Labels.create(["background", "a\x1b[31m"])
