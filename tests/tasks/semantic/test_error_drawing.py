import numpy as np

from maskwright.labels import IGNORE_LABEL
from maskwright.tasks.error_colors import FALSE_NEGATIVE, FALSE_POSITIVE, OTHER_ERROR
from maskwright.tasks.semantic.evaluation.drawing import (
    draw_errors,
)


def nearest(pixel) -> tuple[int, int, int] | None:
    """The color of an error that a pixel was tinted with, `None` for gray or green."""
    colors = (FALSE_POSITIVE, FALSE_NEGATIVE, OTHER_ERROR)
    distances = [np.abs(pixel.astype(int) - color).max() for color in colors]
    return colors[int(np.argmin(distances))] if min(distances) < 45 else None


def test_errors_have_the_color_of_their_kind():
    picture = np.full((1, 5, 3), 90, np.uint8)
    truth = np.array([[0, 1, 1, 1, IGNORE_LABEL]])
    predicted = np.array([[1, 0, 2, 1, 0]])
    drawn = draw_errors(picture, truth, predicted, background=0)[0]
    expected = [FALSE_POSITIVE, FALSE_NEGATIVE, OTHER_ERROR, None, None]
    assert [nearest(pixel) for pixel in drawn] == expected
    without = draw_errors(picture, truth, predicted, background=None)[0]
    assert [nearest(pixel) for pixel in without] == [OTHER_ERROR] * 3 + [None] * 2
