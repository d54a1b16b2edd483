"""What a search varies: for each setting the values it may take."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from maskwright.config import TrainConfig
from maskwright.errors import ConfigError


@dataclass(frozen=True)
class Between:
    """Any number from one to another; with `log`, drawn evenly in its logarithm."""

    low: float
    high: float
    log: bool = False

    def with_value(self, value: float) -> "Between":
        """The same with a value in it; on a logarithmic scale 0 stays outside."""
        if self.log and value <= 0:
            return self
        return replace(self, low=min(self.low, value), high=max(self.high, value))


@dataclass(frozen=True)
class OneOf:
    """One of several values."""

    values: tuple[int | str, ...]

    def with_value(self, value: int | str) -> "OneOf":
        """The same with a value in it."""
        return self if value in self.values else OneOf((value, *self.values))


Choice = Between | OneOf

SPACE: dict[str, Choice] = {
    "learning_rate": Between(3e-4, 3e-2, log=True),
    "encoder_rate": Between(0.03, 1.0, log=True),
    "weight_decay": Between(1e-5, 1e-1, log=True),
    "freeze": Between(0.0, 0.4),
    "loss": OneOf(("ce", "ce+dice", "ce+lovasz", "ce+focal_tversky", "focal+dice", "ohem+dice")),
    "decoder": OneOf(("light", "unet", "fpn", "deeplab_v3_plus")),
    "augmentation": OneOf(("light", "medium", "strong")),
    "batch_size": OneOf((4, 8, 16, 32)),
    "norm": OneOf(("batch", "group", "instance")),
    "dropout": Between(0.0, 0.4),
    "smoothing": Between(0.0, 0.2),
    "warmup": Between(0.0, 0.15),
    "average": Between(0.03, 0.5, log=True),
    "schedule": OneOf(("cosine", "polynomial", "constant")),
}
"""All that can be varied."""

USUAL = (
    *("learning_rate", "encoder_rate", "weight_decay", "freeze"),
    *("loss", "decoder", "augmentation"),
)
"""What is varied unless told otherwise, as far as the settings leave it open."""


def choose_space(config: TrainConfig, vary: Sequence[str] = ()) -> dict[str, Choice]:
    """What to vary, with the settings' own values among those tried.

    Args:
        vary: Names in `SPACE`; when empty, those of `USUAL` that have a meaning here.

    Raises:
        ConfigError: If a name is unknown, or has no meaning with these settings.
    """
    if unknown := sorted(set(vary) - set(SPACE)):
        raise ConfigError(
            f"A search cannot vary {', '.join(unknown)}; it can vary {', '.join(SPACE)}."
        )
    closed = _closed(config)
    if pointless := [f"{name} ({closed[name]})" for name in vary if name in closed]:
        raise ConfigError(f"With these settings a search cannot vary {', '.join(pointless)}.")
    names = dict.fromkeys(vary or [name for name in USUAL if name not in closed])
    values = values_of(config, names)
    return {name: SPACE[name].with_value(value) for name, value in values.items()}


def _closed(config: TrainConfig) -> dict[str, str]:
    """What the settings leave nothing of to vary, and why."""
    closed: dict[str, str] = {}
    if not config.pretrained:
        closed |= dict.fromkeys(("encoder_rate", "freeze"), "the encoder starts from nothing")
    if config.preset is not None:
        closed |= dict.fromkeys(("decoder", "norm", "dropout"), f"preset {config.preset} is whole")
    elif config.decoder_widths is not None:
        closed["decoder"] = "decoder_widths fit one decoder"
    return closed


def values_of(config: TrainConfig, names: Iterable[str]) -> dict[str, Any]:
    """Values that settings have, by name; what depends on the encoder is filled in."""
    recipe = config.recipe()
    values = {}
    for name in names:
        value = recipe[name] if name in recipe else getattr(config, name)
        values[name] = value["strength"] if name == "augmentation" else value
    return values


def with_values(config: TrainConfig, values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with others in their place; of the augmentation the strength alone changes."""
    changes = dict(values)
    if "augmentation" in changes:
        changes["augmentation"] = {**config.augmentation, "strength": changes["augmentation"]}
    return TrainConfig(**{**config.effective(), **changes}).effective()
