"""Optimizers, and their learning rates as functions of the share of the run that is over.

Keras's schedules count steps towards a number known beforehand. A run with a budget of minutes has
no such number: its share is time, so that the rate has fallen where it should when time is up.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import keras

from maskwright.errors import ConfigError
from maskwright.models import freeze
from maskwright.training.setup import Recipe

SCHEDULES = ("cosine", "polynomial", "constant")
OPTIMIZERS = {
    "adamw": keras.optimizers.AdamW,
    "adam": keras.optimizers.Adam,
    "sgd": partial(keras.optimizers.SGD, momentum=0.9, nesterov=True),
}

_WARMUP_AFTER_FREEZE = 0.5  # of the time the encoder was frozen: how long its rate climbs after it


def rate_factor(
    share: float, schedule: str = "cosine", warmup: float = 0.0, final: float = 0.01
) -> float:
    """Factor of the peak learning rate at a share of the run, 0 to 1.

    Args:
        schedule: `"cosine"`, `"polynomial"` (power 0.9, as DeepLab trains) or `"constant"`.
        warmup: Share of the run in which the rate climbs evenly, from `final`.
        final: Factor at the end; a constant rate has none.
    """
    if schedule not in SCHEDULES:
        raise ConfigError(f"Expected a schedule of {', '.join(SCHEDULES)}; received {schedule!r}.")
    share = min(max(share, 0.0), 1.0)
    if share < warmup:
        return max(share / warmup, final)  # no step is made in vain
    rest = (share - warmup) / (1 - warmup) if warmup < 1 else 1.0
    if schedule == "constant":
        return 1.0
    fallen = (1 + math.cos(math.pi * rest)) / 2 if schedule == "cosine" else (1 - rest) ** 0.9
    return final + (1 - final) * fallen


def make_optimizer(name: str, weight_decay: float = 0.0) -> keras.optimizers.Optimizer:
    """Optimizer whose rate is set before every step; decay spares biases and normalizations.

    Adam has no weight decay: with it, decoupled from the gradients, it is AdamW.
    """
    if name not in OPTIMIZERS:
        raise ConfigError(f"Expected an optimizer of {', '.join(OPTIMIZERS)}; received {name!r}.")
    decay = {"adam": None, "adamw": weight_decay}.get(name, weight_decay or None)
    optimizer = OPTIMIZERS[name](0.0, weight_decay=decay)
    if decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


@dataclass
class Group:
    """Weights that learn at one rate, `rate_factor` times that of the run.

    `start` is the share of the run from which it learns; its rate climbs from there.
    """

    optimizer: keras.optimizers.Optimizer
    variables: Sequence[keras.Variable]
    rate_factor: float = 1.0
    start: float = 0.0


class ParameterGroups:
    """The weights of a pretrained encoder, the layer `"encoder"`, and all others of a model."""

    def __init__(self, model: keras.Model, recipe: Recipe) -> None:
        self.model, self.recipe = model, recipe
        held = recipe.freeze or recipe.fix_statistics or recipe.freeze_stem
        differs = held or recipe.encoder_rate != 1
        named = (layer for layer in model.layers if layer.name == "encoder")
        self.encoder = next(named, None) if differs else None
        if self.encoder is not None:
            freeze(model, False, recipe.fix_statistics, recipe.freeze_stem)
        inner = {id(v) for v in self.encoder.trainable_variables} if self.encoder else set()
        learned = model.trainable_variables
        pretrained = [v for v in learned if id(v) in inner]
        others = [v for v in learned if id(v) not in inner]
        self.groups = [self._group(others)]
        if pretrained:
            self.groups.append(self._group(pretrained, recipe.encoder_rate, recipe.freeze))

    def freeze_encoder(self, frozen: bool) -> list[Group]:
        """Groups that learn while the encoder is frozen, or not, which is set in the model."""
        if self.encoder is not None:
            freeze(self.model, frozen, self.recipe.fix_statistics, self.recipe.freeze_stem)
        return self.groups[:1] if frozen else self.groups

    def set_rates(self, share: float) -> None:
        """Set the learning rates for a step at a share of the run, 0 to 1."""
        recipe = self.recipe
        rate = recipe.learning_rate * rate_factor(share, recipe.schedule, recipe.warmup)
        for group in self.groups:
            climb = 1.0
            if group.start:  # a fresh optimizer at its full rate would spoil pretrained weights
                climb = (share - group.start) / (_WARMUP_AFTER_FREEZE * group.start)
                climb = min(max(climb, 0.0), 1.0)
            group.optimizer.learning_rate.assign(rate * group.rate_factor * climb)

    def _group(
        self, variables: Sequence[keras.Variable], factor: float = 1.0, start: float = 0.0
    ) -> Group:
        optimizer = make_optimizer(self.recipe.optimizer, self.recipe.weight_decay)
        optimizer.build(variables)
        return Group(optimizer, variables, factor, start)
