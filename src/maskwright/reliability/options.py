"""What is asked of `maskwright trust`, and how masks were predicted that promises were made for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.data.samples import CALIBRATION
from maskwright.errors import ConfigError, ModelError
from maskwright.export.ensemble import is_ensemble, read_members
from maskwright.inference.predictor import Flips
from maskwright.labels import Labels
from maskwright.model_card import CARD_FILE, postprocessing_of
from maskwright.reliability.promises import EVERYTHING as EVERYTHING
from maskwright.reliability.promises import PromiseRequest, Side
from maskwright.types import OnMessage, show_alert

_BOUND_LEVEL = 0.1

AGAIN = "run `maskwright trust` again"
"""What to do about a record that does not fit."""


@dataclass(frozen=True, kw_only=True)
class TrustOptions:
    """What is asked of `maskwright trust`.

    Args:
        split: `"all"` takes every image that the model has not seen, whatever its split.
        classes: Classes to make promises for; `None` for all but the background.
        missed: Share of a class that outer masks may miss, on average and in the single case;
            `None` for no promise about it.
        false: Share of inner masks that may be of other classes, in the same way.
        each: Share of the cases that may exceed these; `None` for promises on averages alone.
        sure: Confidence of a second promise of each kind, one that does not depend on luck with the
            calibration cases; `None` for none.
        need_dice: Dice that a mask must have to be used unseen; `None` for no rule about it.
        flips: Test-time augmentation, as in `Predictor.__call__`.
        pixel_range: Pixel values of black and white in the images; `None` for those of their type.
        allow_code: Open an exported model whose format can run code.
        on_message: Called with what the user should know.

    Raises:
        ConfigError: If a number is out of range, or nothing is asked for.
    """

    split: str = CALIBRATION
    classes: Sequence[str] | None = None
    missed: float | None = 0.1
    false: float | None = 0.1
    each: float | None = 0.1
    sure: float | None = 0.95
    need_dice: float | None = None
    flips: Flips = False
    pixel_range: tuple[float, float] | None = None
    allow_code: bool = False
    on_message: OnMessage = show_alert

    def __post_init__(self) -> None:
        for name in ("missed", "false", "each", "sure", "need_dice"):
            value, most = getattr(self, name), 1.0 if name in ("sure", "need_dice") else 0.5
            if (value is not None and not 0 < value <= most) or value == 1:
                within = "above 0 and at most 0.5" if most < 1 else "between 0 and 1"
                raise ConfigError(f"Expected `{name}` {within}; received {value:g}.")
        if self.split == "train":
            raise ConfigError(
                "Expected images that the model has not learned from; the split 'train' has none: "
                f"train with calibration_share, or name other data with split={EVERYTHING!r}."
            )

    @property
    def asked(self) -> dict[str, Any]:
        """What to ask again for the same promises of another network; plain values of JSON."""
        names = ("split", "missed", "false", "each", "sure", "need_dice")
        lists = {
            name: None if (values := getattr(self, name)) is None else list(values)
            for name in ("classes", "pixel_range")
        }
        return {name: getattr(self, name) for name in names} | lists

    @property
    def delta(self) -> float | None:
        """Probability that a sure promise fails, over the choice of the calibration cases."""
        return None if self.sure is None else round(1 - self.sure, 12)

    @property
    def bound_level(self) -> float:
        """Share of the masks that may lie below their lower bound, or be accepted in error."""
        return _BOUND_LEVEL if self.each is None else self.each

    def requests(self, class_name: str) -> list[PromiseRequest]:
        """Promises that are asked for a class: for either side on average, then on each case."""
        sides: list[tuple[Side, float | None]] = [("missed", self.missed), ("false", self.false)]
        deltas = [None] if self.delta is None else [None, self.delta]
        requests = []
        for side, share in sides:
            kinds: list[tuple[float, float | None]] = []
            if share is not None:
                kinds += [(share, None)]
                kinds += [] if self.each is None else [(self.each, share)]
            requests += [
                PromiseRequest(class_name=class_name, side=side, level=level, tau=tau, delta=delta)
                for level, tau in kinds
                for delta in deltas
            ]
        return requests


def chosen_classes(
    labels: Labels, background: int | None, names: Sequence[str] | None
) -> dict[str, int]:
    """Labels of the classes to make promises for, by name; `ConfigError` for an unknown one."""
    there = {name: label for label, name in enumerate(labels.names) if label != background}
    if names is None:
        return there
    if not names:
        raise ConfigError(f"Expected at least one class of {', '.join(there)}; received none.")
    if unknown := [name for name in names if name not in there]:
        raise ConfigError(f"Expected classes of {', '.join(there)}; received {', '.join(unknown)}.")
    return {name: there[name] for name in there if name in names}


def calibrated_with(card: Any, flips: Flips, folder: Path) -> dict[str, Any]:
    """How masks are predicted, as plain values of JSON, by the model in a folder with a card.

    The temperatures of the members of an ensemble count, too, and not only its own.
    """
    names = ("size", "tile", "threshold", "thresholds", "temperature")
    values = {name: getattr(card, name) for name in names if hasattr(card, name)}
    values |= {"flips": flips, **postprocessing_of(card)}
    if is_ensemble(folder):
        members = (type(card).read(each / CARD_FILE) for each in read_members(folder, card))
        values["member_temperatures"] = tuple(member.temperature for member in members)
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def first_difference(
    calibrated: Mapping[str, Any], used: Mapping[str, Any]
) -> tuple[str, Any, Any] | None:
    """Name and both values of the first setting that differs, or `None`."""
    for name in dict.fromkeys((*calibrated, *used)):
        if calibrated.get(name) != used.get(name):
            return name, calibrated.get(name), used.get(name)
    return None


def require_same_use(
    path: Path, calibrated: tuple[str, Mapping[str, Any]], used: tuple[str, Mapping[str, Any]]
) -> None:
    """Raise `ModelError` where promises in a file do not hold for the way a model predicts.

    `calibrated` is the checksum of the model and how it predicted then, `used` the same now.
    """
    if calibrated[0] != used[0]:
        raise ModelError(
            f"The promises in {path} are those of another model, which was trained on or "
            f"replaced since: {AGAIN}."
        )
    if (difference := first_difference(calibrated[1], used[1])) is not None:
        name, before, now = difference
        then = f"no {name}" if before is None else f"{name} {before}"
        raise ModelError(
            f"The promises in {path} were made for {then} and do not hold for "
            f"{'none' if now is None else now}: "
            f"predict as before, or {AGAIN}."
        )
