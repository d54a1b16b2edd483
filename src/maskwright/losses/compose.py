"""Weighted sums of losses, and losses by name."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from maskwright.errors import ConfigError
from maskwright.labels import IGNORE_LABEL
from maskwright.losses.boundary import Boundary
from maskwright.losses.cldice import CenterlineDice
from maskwright.losses.lovasz import Lovasz
from maskwright.losses.ohem import HardPixels
from maskwright.losses.overlap import Dice, FocalTversky, Tversky
from maskwright.losses.pixel import AddUp, CrossEntropy, Focal, MaskLoss, Pixels, Tensor

NAMES = (
    *("ce", "focal", "ohem", "dice", "tversky", "focal_tversky"),
    *("lovasz", "cldice", "boundary"),
)
"""Losses that `loss` knows."""


@keras.saving.register_keras_serializable(package="maskwright")
class Sum(MaskLoss):
    """A weighted sum of losses, for which probabilities are computed once.

    Args:
        terms: Losses of this package.
        weights: One for each term, or `None` for ones.

    Raises:
        ValueError: If there is no term, if the numbers of terms and weights differ, or if the
            terms do not ignore the same label.
    """

    def __init__(
        self,
        terms: Sequence[MaskLoss],
        weights: Sequence[float] | None = None,
        name: str = "sum",
        **kwargs: Any,
    ) -> None:
        weights = [1.0] * len(terms) if weights is None else weights
        if not terms or len(terms) != len(weights):
            raise ValueError(
                "`Sum` needs at least one term and one weight for each. "
                f"Received: {len(terms)} terms, {len(weights)} weights"
            )
        ignored = {term.ignore_label for term in terms}
        if len(ignored) > 1:
            raise ValueError(f"All terms must ignore the same label. Received: {ignored}")
        super().__init__(terms[0].ignore_label, name, **kwargs)
        self.terms = list(terms)
        self.weights = [float(weight) for weight in weights]

    def measure(self, pixels: Pixels, add_up: AddUp | None) -> Tensor:
        """Value of each image, `(batch,)`."""
        return sum(
            weight * term.measure(pixels, add_up)
            for weight, term in zip(self.weights, self.terms, strict=True)
        )

    def get_config(self) -> dict[str, Any]:
        """What makes the same loss again."""
        config = super().get_config()
        del config["ignore_label"]  # the terms know it
        terms = [keras.saving.serialize_keras_object(term) for term in self.terms]
        return {**config, "terms": terms, "weights": self.weights}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Sum":
        """The loss that `get_config` described."""
        terms = [keras.saving.deserialize_keras_object(term) for term in config["terms"]]
        return cls(**{**config, "terms": terms})


def loss(
    description: str | Mapping[str, float],
    *,
    batch: bool = True,
    smoothing: float = 0.0,
    gamma: float = 2.0,
    alpha: float = 0.3,
    beta: float = 0.7,
    smooth: float = 1.0,
    share: float = 0.25,
    iterations: int = 3,
    reach: int = 10,
    ignore_label: int | None = IGNORE_LABEL,
) -> MaskLoss:
    """A loss from its name, or a weighted sum from several.

    Args:
        description: Such as `"ce"`, `"ce+dice"`, `"0.5*ce+dice"` or `{"ce": 0.5, "dice": 1}`.
        batch: Dice, Tversky and focal Tversky count over the whole batch instead of image by image.
        smoothing: Of the labels in cross-entropy, 0 to 1.
        gamma: Of the focal loss.
        alpha: Weight of false positives in Tversky, focal or not.
        beta: Weight of false negatives in Tversky, focal or not.
        smooth: Of Dice, Tversky, focal Tversky and clDice, pixels.
        share: Of the pixels that are kept as hard ones, above 0 to 1.
        iterations: Of clDice: half the width of the broadest structure, pixels.
        reach: Of the boundary loss: distance beyond which all is equally wrong, pixels.
        ignore_label: Label of pixels that do not count, or `None` where all do.

    Raises:
        ConfigError: If a name is unknown or twice there, or a weight is no positive number.
    """
    weights = parse(description)
    makers: dict[str, Callable[[], MaskLoss]] = {
        "ce": lambda: CrossEntropy(smoothing, ignore_label),
        "focal": lambda: Focal(gamma, ignore_label),
        "dice": lambda: Dice(smooth, batch, ignore_label),
        "tversky": lambda: Tversky(alpha, beta, smooth, batch, ignore_label),
        "focal_tversky": lambda: FocalTversky(
            alpha=alpha, beta=beta, smooth=smooth, batch=batch, ignore_label=ignore_label
        ),
        "ohem": lambda: HardPixels(share, ignore_label),
        "lovasz": lambda: Lovasz(ignore_label),
        "cldice": lambda: CenterlineDice(iterations, smooth, ignore_label),
        "boundary": lambda: Boundary(reach, ignore_label),
    }
    terms = [makers[name]() for name in weights]
    if list(weights.values()) == [1.0]:
        return terms[0]
    return Sum(terms, list(weights.values()))


def parse(description: str | Mapping[str, float]) -> dict[str, float]:
    """Weights by name from a description as `loss` takes it; raises what `loss` raises."""
    if isinstance(description, str):
        pairs = [_term(text) for text in description.split("+")]
    else:
        pairs = [(name, float(weight)) for name, weight in description.items()]
    names = [name for name, _ in pairs]
    unknown = sorted(set(names) - set(NAMES))
    if unknown or not names or len(set(names)) < len(names):
        raise ConfigError(
            f"Expected a loss made of {', '.join(NAMES)}, each at most once, such as "
            f"'0.5*ce+dice'; received {description!r}."
        )
    if not all(0 < weight < float("inf") for _, weight in pairs):
        raise ConfigError(f"Weights of losses must be positive numbers; received {description!r}.")
    return dict(pairs)


def _term(text: str) -> tuple[str, float]:
    """Name and weight from a text such as `0.5*ce`; text in another form is all name."""
    found = re.fullmatch(r"(?:(\d+(?:\.\d*)?|\.\d+)\s*\*\s*)?([a-z_]+)", text.strip())
    if found is None:
        return text, 1.0
    return found[2], float(found[1] or 1)
