"""Pictures of an evaluation: what was wrong where, and which classes are taken for which."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from maskwright.imageio import atomic_write
from maskwright.labels import IGNORE_LABEL, Color

FALSE_POSITIVE: Color = (240, 90, 50)
FALSE_NEGATIVE: Color = (40, 130, 255)
WRONG_CLASS: Color = (255, 205, 40)
_HIT: Color = (60, 170, 120)

_GRAY = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_MOST_NUMBERS = 20  # classes up to which numbers fit into the squares of a confusion matrix
_MOST_NAMES = 60


def draw_errors(
    picture: np.ndarray, truth: np.ndarray, guess: np.ndarray, background: int | None
) -> np.ndarray:
    """Color what is wrong over a pale gray picture; uint8 RGB `(h, w, 3)`.

    Foreground that is not there is `FALSE_POSITIVE`, foreground not found `FALSE_NEGATIVE`, and one
    class of foreground taken for another `WRONG_CLASS`. Without a background every error is of that
    last kind. Objects that were found get a breath of green; ignored pixels stay gray.

    Args:
        picture: uint8 RGB `(h, w, 3)`.
        truth: Labels `(h, w)`.
        guess: Labels `(h, w)`.
        background: Label of what is no object, or `None`.
    """
    gray = (picture @ _GRAY)[..., None]
    shown = np.broadcast_to(gray * 0.55 + 255 * 0.35, picture.shape).copy()
    counted = truth != IGNORE_LABEL
    wrong = (truth != guess) & counted
    if background is None:
        _tint(shown, wrong, WRONG_CLASS, 0.85)
    else:
        there, found = truth != background, guess != background
        _tint(shown, counted & there & ~wrong, _HIT, 0.25)
        _tint(shown, wrong & there & found, WRONG_CLASS, 0.85)
        _tint(shown, wrong & found & ~there, FALSE_POSITIVE, 0.85)
        _tint(shown, wrong & there & ~found, FALSE_NEGATIVE, 0.85)
    return shown.round().astype(np.uint8)


def draw_confusion(counts: np.ndarray, names: tuple[str, ...], path: Path) -> None:
    """Write a picture of a confusion matrix; each row shows where the pixels of a class went.

    Args:
        counts: Rows are true classes, columns predicted ones, `(classes, classes)`.
        names: Of the classes.
        path: PNG to write.
    """
    num_classes = len(names)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = min(4.0 + 0.55 * num_classes, 16.0)
    figure = Figure(figsize=(side, side * 0.9), layout="constrained", dpi=120)
    axes = figure.subplots()
    drawn = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if num_classes <= _MOST_NAMES:
        axes.set_xticks(range(num_classes), names, rotation=90 if num_classes > 4 else 0)
        axes.set_yticks(range(num_classes), names)
    if num_classes <= _MOST_NUMBERS:
        for (row, column), share in np.ndenumerate(shares):
            color = "white" if share > 0.55 else "black"
            axes.text(column, row, f"{share:.0%}", ha="center", va="center", color=color)
    figure.colorbar(drawn, label="share of the true class", shrink=0.8)
    with atomic_write(path) as beside:
        figure.savefig(beside)


def _tint(picture: np.ndarray, where: np.ndarray, color: Color, opacity: float) -> None:
    """Mix a color into the pixels `where`, in place."""
    picture[where] = picture[where] * (1 - opacity) + np.array(color) * opacity
