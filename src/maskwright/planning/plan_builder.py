"""A plan in the making: what is known, what was chosen so far, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from maskwright.planning.dataset_stats import ClassStats, DatasetStats
from maskwright.planning.hardware import Machine, Timing

LONG = 8.0
"""Length by width from which a class is long for its width."""

_THIN_SHARE = 0.03  # of the longer side of the image: the widest that is thin
BY_HAND = "Set by hand."


@dataclass(frozen=True)
class PlannedSetting:
    """One setting.

    Args:
        key: Of `TrainConfig`.
        value: As `TrainConfig` takes it.
        reason: One sentence or two.
    """

    key: str
    value: Any
    reason: str


@dataclass
class PlanBuilder:
    """What rules look at, and where they put what they choose.

    Args:
        data: Fingerprint of the data.
        machine: To train on.
        minutes: To train for.
        weights: What the encoder starts from: `"imagenet"`, a file, or `None`.
        weights_said: Why so, one sentence.
        given: Settings that are set by hand.
        size_level: 0, or how many sizes smaller (below) or larger (above) training must be.
        timing: A step as measured, once it was.
        size_level_reason: Sentence on why the size level is not 0.
    """

    data: DatasetStats
    machine: Machine
    minutes: float
    weights: str | None = None
    weights_said: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    size_level: int = 0
    timing: Timing | None = None
    size_level_reason: str = ""
    choices: dict[str, PlannedSetting] = field(default_factory=dict)

    def choose(self, key: str, value: Any, reason: str) -> Any:
        """Set a key, unless it is set by hand; gives what it is now."""
        if key in self.given:
            by_hand = self.given[key]
            if key == "augmentation" and isinstance(value, dict):
                by_hand = {**value, **by_hand}
                reason = f"{reason} {', '.join(self.given[key])} set by hand."
            elif key != "encoder_weights":  # whose reason says where they are from
                reason = BY_HAND
            value = by_hand
        self.choices[key] = PlannedSetting(key, value, reason)
        return value

    def __getitem__(self, key: str) -> Any:
        """Value of what is chosen, or set by hand; `None` without either."""
        return self.choices[key].value if key in self.choices else self.given.get(key)

    @property
    def settings(self) -> dict[str, Any]:
        """What is chosen so far, and set by hand."""
        return {**self.given, **{key: choice.value for key, choice in self.choices.items()}}

    @property
    def thin(self) -> list[ClassStats]:
        """Classes of lines and nets."""
        return [each for each in self.data.objects if is_thin(each)]

    @property
    def mostly_thin(self) -> bool:
        """Whether lines and nets are what it is about."""
        return 2 * len(self.thin) > len(self.data.objects)

    @property
    def rarest(self) -> ClassStats:
        """Class with the fewest pixels, among those that occur."""
        held = [each for each in self.data.classes if each.images]
        return min(held, key=lambda each: each.share, default=self.data.classes[0])


def is_long(one: ClassStats) -> bool:
    """Whether the regions of a class are long for their width, so that their width counts."""
    return one.slenderness >= LONG


def is_thin(one: ClassStats) -> bool:
    """Whether a class is made of lines or nets: long for their width, and narrow in the image."""
    return is_long(one) and one.width_share <= _THIN_SHARE


def percent(share: float) -> str:
    """`62%`, `4.1%`, `0.43%`."""
    points = 100 * share
    if points >= 10 or points == 0:
        return f"{points:.0f}%"
    return f"{points:.1f}%" if points >= 1 else f"{points:.2g}%"


def measured(number: float) -> str:
    """`2.1`, `23`, `1,450`."""
    return f"{number:.2g}" if number < 10 else f"{number:,.0f}"


def by(size: tuple[int, int]) -> str:
    """`240x320`, height and width, as settings have it."""
    return f"{size[0]}x{size[1]}"
