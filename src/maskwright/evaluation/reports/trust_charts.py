"""Charts of the expected Dice of masks."""

from collections.abc import Mapping

import numpy as np

from maskwright.display.mathtext import plain_text
from maskwright.evaluation.reports.svg import (
    COLORS,
    MUTED,
    SQUARE,
    WIDE,
    add_legend,
    axes_of,
    to_svg,
)


def risk_coverage_chart(curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """Mean of one minus Dice of the masks that are accepted, by their share, for each class.

    `curves` are those of `risk_coverage`; dotted lines are the means of all masks.
    """
    with axes_of("share of the masks that are accepted", "1 - Dice, mean", WIDE) as axes:
        for (name, (coverage, risk)), color in zip(curves.items(), COLORS, strict=False):
            axes.plot(coverage, risk, color=color, label=plain_text(name))
            axes.plot((0, 1), (risk[-1], risk[-1]), color=MUTED, linestyle=":")
        axes.set(xlim=(0, 1))
        axes.set_ylim(bottom=0)
        add_legend(axes)
        return to_svg(axes, "Risk-coverage curve")


def expected_dice_chart(series: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]) -> str:
    """True Dice by expected Dice, a dot for each mask, and lower bounds as a line of each class.

    Each of the `series` holds expected Dice, true Dice and lower bound, `(n,)`.
    """
    with axes_of("expected Dice", "Dice", SQUARE) as axes:
        axes.plot((0, 1), (0, 1), color=MUTED, linestyle=":")
        for (name, values), color in zip(series.items(), COLORS, strict=False):
            expected, dice, bound = (each[np.argsort(values[0])] for each in values)
            axes.scatter(expected, dice, 14, color=color, alpha=0.6, label=plain_text(name))
            axes.plot(expected, bound, color=color, linewidth=1)
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
        add_legend(axes)
        return to_svg(axes, "Expected and true Dice")
