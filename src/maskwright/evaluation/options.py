"""How a model is evaluated, as one value."""

from dataclasses import dataclass
from typing import Literal

from maskwright.inference.predictor import Flips
from maskwright.types import OnMessage, ignore_message

Size = Literal["original", "working"]


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """How a model is evaluated.

    Args:
        split: Name of the split.
        size: `"original"` scores masks in the size of the images, `"working"` in the model's.
        flips: Test-time augmentation, as in `Predictor.__call__`.
        bootstrap: Number of bootstrap samples for the intervals; 0 for no intervals.
        seed: Seed of the bootstrap.
        examples: Number of images to draw of each of best, median and worst.
        on_message: Called with a message for every file that is skipped.
    """

    split: str = "test"
    size: Size = "original"
    flips: Flips = False
    bootstrap: int = 1000
    seed: int = 0
    examples: int = 2
    on_message: OnMessage = ignore_message
