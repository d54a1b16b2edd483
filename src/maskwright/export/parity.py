"""How far an exported model differs from the one it was made from."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from maskwright.card import Card
from maskwright.errors import ModelError
from maskwright.export.activation import activate
from maskwright.export.ensemble import Logits
from maskwright.metrics.confusion import confusion, scores


@dataclass(frozen=True)
class Limits:
    """What an exported model may differ by.

    Args:
        difference: Of a probability.
        agreement: Least share of pixels with the same label.
        dice: Fall of the mean Dice.
    """

    difference: float
    agreement: float
    dice: float


FLOAT = Limits(difference=1e-3, agreement=0.999, dice=0.001)
INT8 = Limits(difference=1.0, agreement=0.0, dice=0.005)


@dataclass(frozen=True)
class Parity:
    """What both make of the same images.

    Args:
        sizes: Heights and widths of the images.
        images: Their number.
        difference: Largest of two probabilities.
        agreement: Share of pixels with the same label.
        dice_change: Mean Dice of the exported model less that of the other, against the true masks
            of those images that have one; or, where none has, its mean Dice against the labels of
            the other less 1.
        against: `"masks"` or `"model"`: what Dice was taken against.
    """

    sizes: tuple[tuple[int, int], ...]
    images: int
    difference: float
    agreement: float
    dice_change: float
    against: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def within(self, limits: Limits) -> bool:
        """Whether the difference is allowed."""
        return (
            self.difference <= limits.difference
            and self.agreement >= limits.agreement
            and self.dice_change >= -limits.dice
        )

    def require(self, limits: Limits, engine: str) -> None:
        """Raise `ModelError` with what is beyond the limits."""
        if not self.within(limits):
            raise ModelError(
                f"The model in {engine} differs from the one it was made from: by up to "
                f"{self.difference:.2g} in a probability (at most {limits.difference:g}), in "
                f"{1 - self.agreement:.2%} of the labels (at most {1 - limits.agreement:.2%}), "
                f"and by {self.dice_change:+.4f} in Dice (at least {-limits.dice:g}); it is not "
                f"written: choose another format."
            )


def measure(
    model: Logits,
    exported: Logits,
    card: Card,
    images: Iterable[tuple[np.ndarray, np.ndarray | None]],
) -> Parity:
    """Compare two functions from images to logits.

    Args:
        model: The one it was made from.
        exported: The other.
        card: Of both.
        images: `(h, w, c)` float32 as the model takes them, and their true labels `(h, w)`, or
            `None`.
    """
    num_classes = max(card.labels.num_classes, 2)
    # Of both models, without true masks and with them.
    table = np.zeros((2, 2, num_classes, num_classes), np.int64)
    sizes: dict[tuple[int, int], None] = {}
    largest, same, pixels, number, with_masks = 0.0, 0, 0, 0, 0
    for image, true in images:
        shape = (1, image.shape[0], image.shape[1])
        first, second = (activate(run(image[None]), shape, card)[0] for run in (model, exported))
        largest = max(largest, float(np.abs(first - second).max()))
        labels = [values.argmax(-1) for values in (first, second)]
        same += int((labels[0] == labels[1]).sum())
        pixels += labels[0].size
        sizes[image.shape[0], image.shape[1]] = None
        number += 1
        with_masks += true is not None
        wanted = labels[0] if true is None else true
        for place in (0, 1):
            table[place, int(true is not None)] += confusion(wanted, labels[place], num_classes)
    dice = [float(scores(counts[int(with_masks > 0)]).mean_dice) for counts in table]
    return Parity(
        sizes=tuple(sizes),
        images=number,
        difference=largest,
        agreement=same / max(pixels, 1),
        dice_change=dice[1] - dice[0],
        against="masks" if with_masks else "model",
    )
