import numpy as np
from PIL import Image

from maskwright.evaluation.reports.drawing import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    WRONG_CLASS,
    draw_confusion,
    draw_errors,
)
from maskwright.labels import IGNORE_LABEL


def nearest(pixel) -> tuple[int, int, int] | None:
    """The color of an error that a pixel was tinted with, `None` for gray or green."""
    colors = (FALSE_POSITIVE, FALSE_NEGATIVE, WRONG_CLASS)
    distances = [np.abs(pixel.astype(int) - color).max() for color in colors]
    return colors[int(np.argmin(distances))] if min(distances) < 45 else None


def test_errors_have_the_color_of_their_kind():
    picture = np.full((1, 5, 3), 90, np.uint8)
    truth = np.array([[0, 1, 1, 1, IGNORE_LABEL]])
    guess = np.array([[1, 0, 2, 1, 0]])
    drawn = draw_errors(picture, truth, guess, background=0)[0]
    expected = [FALSE_POSITIVE, FALSE_NEGATIVE, WRONG_CLASS, None, None]
    assert [nearest(pixel) for pixel in drawn] == expected
    without = draw_errors(picture, truth, guess, background=None)[0]
    assert [nearest(pixel) for pixel in without] == [WRONG_CLASS] * 3 + [None] * 2


def test_a_confusion_matrix_is_drawn_for_few_and_many_classes(tmp_path):
    for num_classes in (2, 70):
        counts = np.eye(num_classes, dtype=int)
        names = tuple(f"class {label}" for label in range(num_classes))
        draw_confusion(counts, names, tmp_path / f"{num_classes}.png")
        with Image.open(tmp_path / f"{num_classes}.png") as picture:
            assert min(picture.size) > 300
