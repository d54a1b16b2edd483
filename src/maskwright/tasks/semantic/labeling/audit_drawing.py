"""A piece of a mask that may be wrong: boxed in the image, under both masks, and close up."""

import cv2
import numpy as np

from maskwright.data.geometry import resize_image, resize_labels
from maskwright.data.to_rgb import as_picture
from maskwright.evaluation.result import example_size
from maskwright.labels import Labels
from maskwright.reliability.label_audit import SuspectPiece, piece_pixels

_MARK = (255, 0, 200)  # unlike the colors of classes and of most photographs
_OPACITY = 0.35  # of masks, so that the image can be judged beneath
_AROUND = 0.5  # of the sides of a piece, shown on each side of it
_LEAST_SIDE_PX = 48  # of what is shown close up


def draw_piece(
    image: np.ndarray,
    given: np.ndarray,
    predicted: np.ndarray,
    piece: SuspectPiece,
    labels: Labels,
) -> tuple[tuple[str, np.ndarray], ...]:
    """Captions and pictures uint8 RGB of an `Example`.

    Args:
        image: `(h, w, c)`.
        given: Labels of the mask, `(h, w)`, or layers, `(h, w, classes)`.
        predicted: The same by the model.
        piece: What is boxed, and outlined close up.
        labels: Names and colors of the classes.
    """
    size = example_size(given.shape[:2])
    picture = resize_image(np.ascontiguousarray(as_picture(image)), size)
    overlays = [
        labels.overlay(picture, resize_labels(mask, size), _OPACITY) for mask in (given, predicted)
    ]
    scale = np.array(size * 2) / np.array(given.shape[:2] * 2)
    box = np.round(np.array(piece.box) * scale).astype(int)
    captions = ("Image", "Mask", "Model")
    boxed = [_boxed(each, box) for each in (picture, *overlays)]
    close = _close_up(as_picture(image), given, predicted, piece)
    return (*zip(captions, boxed, strict=True), ("The piece close up", close))


def _boxed(picture: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The picture with a frame around a box of top, left, bottom and right."""
    height, width = picture.shape[:2]
    top, left = np.maximum(box[:2] - 2, 0).tolist()
    bottom, right = np.minimum(box[2:] + 1, (height - 1, width - 1)).tolist()
    shown = picture.copy()
    cv2.rectangle(shown, (left, top), (right, bottom), _MARK, 2)
    return shown


def _close_up(
    picture: np.ndarray, given: np.ndarray, predicted: np.ndarray, piece: SuspectPiece
) -> np.ndarray:
    """The surroundings of a piece, and its outline."""
    top, left, bottom, right = piece.box
    inside = np.zeros(given.shape[:2], np.uint8)
    part = np.s_[top:bottom, left:right]
    inside[part] = piece_pixels(given[part], predicted[part], piece)
    rows = _around(top, bottom, given.shape[0])
    columns = _around(left, right, given.shape[1])
    cut = np.ascontiguousarray(picture[rows, columns])
    size = example_size(cut.shape)
    shown = resize_image(cut, size)
    mask = resize_labels(inside[rows, columns], size).astype(np.uint8)
    outlines, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(shown.copy(), outlines, -1, _MARK, 2)


def _around(first: int, end: int, size: int) -> slice:
    """Rows or columns with what is around them, within the image."""
    margin = max(round(_AROUND * (end - first)), (_LEAST_SIDE_PX - end + first) // 2, 0)
    return slice(max(first - margin, 0), min(end + margin, size))
