"""Weighted sums of losses, and losses by name."""

import re
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, Unpack

import keras

from maskwright.errors import ConfigError
from maskwright.labels import IGNORE_LABEL
from maskwright.losses.base import LOSSES, LossOptions, MaskLoss, Pixels, Tensor, shared_arguments


@keras.saving.register_keras_serializable(package="maskwright")
class Sum(MaskLoss):
    """A weighted sum of losses, at least one, for which probabilities are computed once.

    `terms` ignore the same label, and all take logits, or all probabilities; `weights` are one for
    each, or `None` for ones.
    """

    def __init__(
        self,
        terms: Sequence[MaskLoss],
        weights: Sequence[float] | None = None,
        **kwargs: Unpack[LossOptions],
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
        if len({term.from_logits for term in terms}) > 1:
            raise ValueError("All terms must have the same `from_logits`.")
        super().__init__(**{**kwargs, **shared_arguments(terms[0])})
        self.terms = list(terms)
        self.weights = [float(weight) for weight in weights]

    def measure(self, pixels: Pixels) -> Tensor:
        """Value of each image, `(batch,)`."""
        return sum(
            weight * term.measure(pixels)
            for weight, term in zip(self.weights, self.terms, strict=True)
        )

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the loss."""
        terms = [keras.saving.serialize_keras_object(term) for term in self.terms]
        return {**super().get_config(), "terms": terms}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Sum":
        """The loss that `get_config` described."""
        terms = [keras.saving.deserialize_keras_object(term) for term in config["terms"]]
        return cls(**{**config, "terms": terms})


def loss(
    description: str | Mapping[str, float],
    *,
    smoothing: float = 0.0,
    batch: bool = True,
    ignore_label: int | None = IGNORE_LABEL,
    from_logits: bool = True,
    arguments: Mapping[str, Mapping[str, Any]] | None = None,
) -> MaskLoss:
    """A loss from its name, or a weighted sum from several.

    Args:
        description: Names in `LOSSES`, such as `"ce"`, `"0.5*ce+dice"` or `{"ce": 0.5, "dice": 1}`.
        smoothing: Label smoothing of cross-entropy, 0 to 1.
        batch: Dice, Tversky and focal Tversky count over the whole batch instead of image by image.
        ignore_label: Label of pixels that do not count, or `None` where all do.
        from_logits: Whether predictions are logits; see `MaskLoss`.
        arguments: Further arguments by name of the loss, such as `{"tversky": {"alpha": 0.2}}`.

    Raises:
        ConfigError: If a name is unknown or twice there, or a weight is no positive number.
    """
    weights = parse(description)
    options = {"smoothing": smoothing, "batch": batch}
    terms = []
    for name in weights:
        taken = options.keys() & signature(LOSSES[name].__init__).parameters.keys()
        given: dict[str, Any] = {option: options[option] for option in taken}
        given.update((arguments or {}).get(name, {}))
        shared = {"ignore_label": ignore_label, "from_logits": from_logits}
        terms.append(LOSSES[name](**{**shared, **given}))
    if list(weights.values()) == [1.0]:
        return terms[0]
    return Sum(terms, list(weights.values()))


def parse(description: str | Mapping[str, float]) -> dict[str, float]:
    """Weights by name from a description as `loss` takes it; `ConfigError` as `loss`."""
    if isinstance(description, str):
        # Such as `0.5*ce`; any other text is taken for a name.
        pattern = r"(?:(\d+(?:\.\d*)?|\.\d+)\s*\*\s*)?([a-z_]+)"
        texts = [text.strip() for text in description.split("+")]
        matches = [re.fullmatch(pattern, text) or ("", "", text) for text in texts]
        pairs = [(match[2], float(match[1] or 1)) for match in matches]
    else:
        pairs = [(name, float(weight)) for name, weight in description.items()]
    names = [name for name, _ in pairs]
    if not names or not set(names) <= LOSSES.keys() or len(set(names)) < len(names):
        raise ConfigError(
            f"Expected a loss made of {', '.join(LOSSES)}, each at most once, such as "
            f"'0.5*ce+dice'; received {description!r}."
        )
    if not all(0 < weight < float("inf") for _, weight in pairs):
        raise ConfigError(f"Weights of losses must be positive numbers; received {description!r}.")
    return dict(pairs)
