"""A plan under construction: inputs of the rules, the size level, and settings chosen so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from maskwright.architectures import SCRATCH
from maskwright.planning.hardware import Machine, Timing
from maskwright.planning.stats.dataset_stats import ClassStats, DatasetStats

SIDES = {-4: 96, -3: 128, -2: 192, -1: 256, 0: 256, 1: 384, 2: 512}
"""By size level: longer side of images if no class needs more, and side of crops, in pixels."""
BATCH_SIZES = {-4: 4, -3: 8, -2: 8, -1: 8, 0: 16, 1: 16, 2: 16}
"""By size level: largest batch size."""
SET_BY_USER = "Set by the user."

_MIN_STEPS_TO_ENLARGE = 1500  # at the larger size


@dataclass(frozen=True)
class PlannedSetting:
    """One setting of a plan."""

    key: str
    value: Any
    reason: str


@dataclass(frozen=True)
class EncoderWeights:
    """Available weights of a pretrained encoder.

    Args:
        source: `"imagenet"`, a file, or `None` if there are none.
        encoder: Whose weights these are.
    """

    source: str | None = None
    reason: str = "There are no pretrained weights for the encoder."
    encoder: str = "mobilenet_v2"


@dataclass(frozen=True)
class SizeLevel:
    """Image and batch size relative to the default.

    Args:
        level: A key of `SIDES`; 0 is the default, negative levels are smaller.
    """

    level: int = 0
    reason: str = ""

    @property
    def side(self) -> int:
        """Longer side of images, and side of crops, in pixels."""
        return SIDES[self.level]


@dataclass
class PlanBuilder:
    """Inputs of the rules, and the settings that they choose.

    Args:
        given: Settings fixed by the user, with the values of `TrainConfig`; other settings are
            chosen to fit them. Of `augmentation`, only the changed parameters.
        timing: Measured training step of this plan; `None` if it was not timed.
    """

    data: DatasetStats
    machine: Machine
    minutes: float
    weights: EncoderWeights = EncoderWeights()
    given: Mapping[str, Any] = field(default_factory=dict)
    size_level: SizeLevel = SizeLevel()
    timing: Timing | None = None
    choices: dict[str, PlannedSetting] = field(default_factory=dict)

    def choose(self, key: str, value: Any, reason: str) -> Any:
        """Choose a setting, unless the user has fixed it; returns the resulting value."""
        if key in self.given:
            fixed = self.given[key]
            if key == "augmentation" and isinstance(value, dict):
                fixed = {**value, **fixed}
                reason = f"{reason} Set by the user: {', '.join(self.given[key])}."
            elif key != "encoder_weights":  # its reason states the origin of the weights
                reason = SET_BY_USER
            value = fixed
        self.choices[key] = PlannedSetting(key, value, reason)
        return value

    def __getitem__(self, key: str) -> Any:
        """Value of a setting that was chosen or fixed by the user; `None` without either."""
        return self.choices[key].value if key in self.choices else self.given.get(key)

    @property
    def settings(self) -> dict[str, Any]:
        """Settings chosen so far, and those fixed by the user."""
        return {**self.given, **{key: choice.value for key, choice in self.choices.items()}}

    @property
    def pretrained(self) -> bool:
        """Whether the encoder starts from pretrained weights."""
        return is_pretrained(self.settings)

    @property
    def thin(self) -> list[ClassStats]:
        """Thin classes, if they are the majority of the foreground classes; else none."""
        thin = [each for each in self.data.foreground if each.is_thin]
        return thin if 2 * len(thin) > len(self.data.foreground) else []

    @property
    def rarest(self) -> ClassStats:
        """Class with the fewest pixels among those that occur."""
        present = [each for each in self.data.classes if each.images]
        return min(present, key=lambda each: each.share, default=self.data.classes[0])


def is_pretrained(settings: Mapping[str, Any]) -> bool:
    """Whether the encoder of these settings starts from pretrained weights."""
    if settings.get("weights") is not None:
        return True
    return settings.get("encoder") not in SCRATCH and settings.get("encoder_weights") is not None


def min_useful_steps(pretrained: bool) -> int:
    """Smallest recommended number of training steps."""
    return 150 if pretrained else 300


def next_size_level(
    settings: Mapping[str, Any], data: DatasetStats, timing: Timing, minutes: float, level: int
) -> int:
    """Size level at which a plan should be made again; `level` if it suits the budget.

    It is smaller if the budget allows too few steps; larger if it allows very many and the images
    have a higher resolution.
    """
    pretrained = is_pretrained(settings)
    min_steps = min_useful_steps(pretrained)
    steps = timing.steps(minutes, 2 if pretrained else 1)
    if steps >= min_steps and 0 <= level < max(SIDES):
        larger_images = max(data.median_size) > SIDES[level] * 1.1
        if larger_images and steps * _work(level) / _work(level + 1) >= _MIN_STEPS_TO_ENLARGE:
            return level + 1
    while level > min(SIDES) and steps < min_steps:
        steps = int(max(steps, 1) * _work(level) / _work(level - 1))
        level -= 1
    return level


def at_size_level(timing: Timing, level: int, target: int) -> Timing:
    """Estimate the training step of the size level `target` from one timed at `level`."""
    step_s = timing.step_s * (_work(target) / _work(level))
    return replace(timing, step_s=step_s, memory_mb=0.0, busy_s=0.0, estimated=True)


def _work(level: int) -> float:
    """Pixels in a training step."""
    return SIDES[level] ** 2 * BATCH_SIZES[level]


def percent(share: float) -> str:
    """Format a fraction as `62%`, `4.1%` or `0.43%`."""
    points = 100 * share
    if points >= 10 or points == 0:
        return f"{points:.0f}%"
    return f"{points:.1f}%" if points >= 1 else f"{points:.2g}%"


def number(value: float) -> str:
    """Format a number as `2.1`, `23` or `1,450`."""
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def by(size: tuple[int, int]) -> str:
    """Format height and width as `240x320`."""
    return f"{size[0]}x{size[1]}"


def plural(count: int, noun: str) -> str:
    """Format a count as `1 image` or `1,200 images`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"
