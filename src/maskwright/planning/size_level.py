"""Choice of the size level by the time that a training step takes."""

from dataclasses import replace

from maskwright.planning.hardware import Timing
from maskwright.planning.plan import Plan
from maskwright.planning.plan_builder import BATCH_SIZES, SIDES, is_pretrained
from maskwright.planning.rules.training import min_useful_steps
from maskwright.planning.stats.dataset_stats import DatasetStats

_MIN_STEPS_TO_ENLARGE = 1500  # at the larger size


def next_size_level(
    plan: Plan, data: DatasetStats, timing: Timing, minutes: float, level: int
) -> int:
    """Size level at which a plan should be made again; `level` if it suits the budget.

    It is smaller if the budget allows too few steps; larger if it allows very many and the images
    have a higher resolution.
    """
    pretrained = is_pretrained(plan.settings)
    min_steps = min_useful_steps(pretrained)
    steps = timing.steps(minutes, 2 if pretrained else 1)
    if steps < min_steps:
        while level > min(SIDES) and steps < min_steps:
            steps = int(max(steps, 1) * _work(level) / _work(level - 1))
            level -= 1
        return level
    if 0 <= level < max(SIDES):
        larger_images = max(data.median_size) > SIDES[level] * 1.1
        if larger_images and steps * _work(level) / _work(level + 1) >= _MIN_STEPS_TO_ENLARGE:
            return level + 1
    return level


def at_size_level(timing: Timing, level: int, target: int) -> Timing:
    """Estimate the training step of the size level `target` from one timed at `level`."""
    step_s = timing.step_s * (_work(target) / _work(level))
    return replace(timing, step_s=step_s, memory_mb=0.0, busy_s=0.0, estimated=True)


def _work(level: int) -> float:
    """Pixels in a training step."""
    return SIDES[level] ** 2 * BATCH_SIZES[level]
