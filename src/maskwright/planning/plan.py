"""A plan: settings for a data set, a machine and a time, each with its reason."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from maskwright.planning.dataset_stats import DatasetStats
from maskwright.planning.hardware import Machine, Timing
from maskwright.planning.model_rules import is_pretrained, plan_model, plan_norm
from maskwright.planning.plan_builder import BY_HAND, PlanBuilder, PlannedSetting, by, percent
from maskwright.planning.postprocessing_rules import plan_postprocessing
from maskwright.planning.scale_rules import SIDES, plan_scale
from maskwright.planning.training_rules import plan_training, useful_steps

_COLUMNS = 100
_CLASSES_TOLD = 12
_GROWTH_STEPS = 1500  # at the larger size
_FEW_VALIDATED = 5


@dataclass(frozen=True)
class Plan:
    """Settings in the order in which they are read, each with its reason.

    Args:
        choices: The settings.
        header: Sentences on the data and the machine.
        name: What tells it from its rivals.
    """

    choices: tuple[PlannedSetting, ...]
    header: tuple[str, ...] = ()
    name: str = "plan"

    @property
    def settings(self) -> dict[str, Any]:
        """What `train` takes: fields of `TrainConfig`."""
        return {choice.key: choice.value for choice in self.choices}

    def with_choices(self, *changed: PlannedSetting, name: str | None = None) -> "Plan":
        """The plan with some settings changed, or added at the end."""
        new = {choice.key: choice for choice in changed}
        kept = [new.pop(choice.key, choice) for choice in self.choices]
        return replace(self, choices=(*kept, *new.values()), name=name or self.name)

    def to_yaml(self) -> str:
        """Settings file of `maskwright train --plan`, with the reasons as comments."""
        lines = [_comment(sentence) for sentence in self.header]
        for choice in self.choices:
            lines += ["", _comment(choice.reason), f"{choice.key}: {_value(choice)}"]
        return "\n".join(lines) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        choices = [{"key": c.key, "value": _plain(c), "reason": c.reason} for c in self.choices]
        return {"name": self.name, "header": list(self.header), "choices": choices}


def plan(
    data: DatasetStats,
    machine: Machine,
    *,
    minutes: float,
    weights: str | None = None,
    weights_said: str = "",
    given: Mapping[str, Any] | None = None,
    size_level: int = 0,
    timing: Timing | None = None,
    size_level_reason: str = "",
    division: Sequence[PlannedSetting] = (),
) -> Plan:
    """Settings that suit a data set, a machine and a time.

    Args:
        data: Fingerprint of the data.
        machine: To train on.
        minutes: To train for.
        weights: What a pretrained encoder starts from; `None` where there are none.
        weights_said: Sentence on that.
        given: Settings that are set by hand, as `TrainConfig` has them; the others follow them. In
            `augmentation`, only what is changed.
        size_level: How many sizes smaller or larger than usual, -4 to 2; see `next_size_level`.
        timing: A step of the plan as measured.
        size_level_reason: Sentence on why the size level is not 0.
        division: Settings of how the data was divided for `data`, where that was changed.
    """
    draft = PlanBuilder(
        data,
        machine,
        minutes,
        weights,
        weights_said or _weights_said(weights),
        dict(given or {}),
        size_level,
        timing,
        size_level_reason,
    )
    plan_model(draft)
    plan_scale(draft)
    plan_norm(draft)
    plan_training(draft)
    plan_postprocessing(draft)
    for choice in division:
        draft.choose(choice.key, choice.value, choice.reason)
    if draft["objects"]:  # whose thresholds are chosen by validation images, if not by hand
        for key in _OF_CLASSES - draft.given.keys():
            draft.choices.pop(key, None)
    for key, value in draft.given.items():
        if key not in draft.choices:
            draft.choices[key] = PlannedSetting(key, value, BY_HAND)
    order = [key for key in _ORDER if key in draft.choices]
    rest = [key for key in draft.choices if key not in order]
    return Plan(tuple(draft.choices[key] for key in (*order, *rest)), _header(draft))


def next_size_level(
    made: Plan, data: DatasetStats, timing: Timing, minutes: float, size_level: int
) -> int:
    """Size level at which a plan of `size_level` should be made again; the same where it is right.

    Smaller where the time allows too few steps; larger where it allows very many and the images
    have more to show.
    """
    pretrained = is_pretrained(made.settings)
    least = useful_steps(pretrained)
    steps = timing.steps(minutes, 2 if pretrained else 1)
    if steps < least:
        while size_level > min(SIDES) and steps < least:
            steps = int(max(steps, 1) * _work(size_level) / _work(size_level - 1))
            size_level -= 1
        return size_level
    if size_level >= 0 and size_level < max(SIDES):
        more = max(data.height.median, data.width.median) > SIDES[size_level] * 1.1
        if more and steps * _work(size_level) / _work(size_level + 1) >= _GROWTH_STEPS:
            return size_level + 1
    return size_level


def at_size_level(timing: Timing, size_level: int, wanted: int) -> Timing:
    """What a step at another size level takes, by its pixels, from one that was measured."""
    factor = _work(wanted) / _work(size_level)
    step_s = timing.step_s * factor
    return replace(timing, step_s=step_s, memory_mb=0.0, busy_s=0.0, estimated=True)


def _work(size_level: int) -> float:
    """Pixels in a step."""
    return SIDES[size_level] ** 2 * {-4: 4, -3: 8, -2: 8, -1: 8}.get(size_level, 16)


_ORDER = (
    *("size", "crop", "favor_rare", "batch_size", "memory_limit_mb", "augmentation"),
    *("encoder", "encoder_weights", "encoder_widths", "decoder", "decoder_widths", "norm"),
    *("deep_supervision", "loss", "class_weights", "learning_rate", "encoder_rate", "freeze"),
    *("minutes", "epochs", "patience", "average", "val_share", "unite_duplicates"),
    *("min_area_px", "fill_holes_px", "keep_largest"),
)


_OF_CLASSES = {"class_weights", "favor_rare", "min_area_px", "fill_holes_px", "keep_largest"}
"""Choices that suit masks of classes alone."""


def _weights_said(weights: str | None) -> str:
    if weights is None:
        return "There are no weights for the encoder."
    if weights == "imagenet":
        return "Learned from ImageNet; Keras downloads them."
    return "Learned on other images, in this file."


def _header(draft: PlanBuilder) -> tuple[str, ...]:
    data = draft.data
    splits = ", ".join(f"{count:,} {split}" for split, count in data.images.items())
    cases = sum(data.cases.values())
    images = sum(data.images.values())
    median = by((round(data.height.median), round(data.width.median)))
    kind = "gray" if data.color_share == 0 else "color"
    if 0 < data.color_share < 0.95:
        kind = f"{percent(data.color_share)} of them in color"
    channels = f"{data.channels} channel{'s' * (data.channels > 1)}, {data.dtype}"
    if data.channels == 3:
        channels += f", {kind}"
    length = f"{draft.minutes:g} minutes"
    if epochs := draft.given.get("epochs"):
        length = f"{epochs:,} epochs"
    told = [
        f"A plan for {data.source}, {length} on {draft.machine}.",
        f"{images:,} images in {cases:,} cases: {splits}. "
        f"{data.looked_at:,} training images were read.",
        f"Median size {median}, {channels}.",
        f"Classes, by share of pixels (images): {_classes(draft)}.",
    ]
    if data.spacing_mm:
        told.append(f"A pixel is {data.spacing_mm:g} mm wide.")
    if draft.timing is not None and draft.timing.parameters and not draft.timing.estimated:
        timing = draft.timing
        told.append(
            f"A step of training took {timing.step_s:.2g} s, with {timing.parameters:,} weights."
        )
        if timing.busy_s:
            told[-1] = (
                f"Caution: this machine was busy. A step of training, with {timing.parameters:,} "
                f"weights, took {timing.busy_s:.2g} s; the plan counts on the {timing.step_s:.2g} "
                f"s that it would take alone, by its processor time."
            )
    told += _cautions(draft)
    told.append("Use with: maskwright train DATA -o RUN --plan THIS_FILE; --set changes a value.")
    return tuple(told)


def _classes(draft: PlanBuilder) -> str:
    held = [each for each in draft.data.classes if each.images]
    first = sorted(held, key=lambda each: -each.share)[:_CLASSES_TOLD]
    told = ", ".join(f"{each.name} {percent(each.share)} ({each.images:,})" for each in first)
    return told + f" and {len(held) - len(first)} more" * (len(held) > len(first))


def _cautions(draft: PlanBuilder) -> list[str]:
    """What the settings cannot mend."""
    data = draft.data
    told = []
    never = [each.name for each in data.classes if not each.images]
    if never:
        names = ", ".join(never[:5]) + ", …" * (len(never) > 5)
        those = "training images" if data.looked_at == data.training else "images that were read"
        told.append(
            f"Caution: {len(never)} of {len(data.classes)} classes ({names}) never occur "
            f"in the {those}."
        )
    if data.instances:
        told.append("The masks tell objects apart; those that touch become one region here.")
    if data.skipped:
        told.append(f"Caution: {data.skipped:,} training images could not be read.")
    if data.void_share >= 0.005:
        told.append(f"{percent(data.void_share)} of the pixels are void; they do not count.")
    if data.dtype != "uint8" and data.high and data.largest > 4 * max(data.high):
        told.append(
            f"Caution: the largest value is {data.largest:,.0f}, though 99.5% lie below "
            f"{max(data.high):,.0f}; images are scaled by their largest."
        )
    validated = data.images.get("val", 0)
    if validated < _FEW_VALIDATED:
        told.append(
            f"Caution: {validated or 'no'} validation image{'s' * (validated != 1)}, too few to "
            f"trust their scores."
        )
    return told


def _comment(text: str) -> str:
    return "\n".join(
        textwrap.wrap(
            text,
            _COLUMNS,
            initial_indent="# ",
            subsequent_indent="#   ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def _value(choice: PlannedSetting) -> str:
    """As YAML on one line."""
    text = yaml.safe_dump(_plain(choice), default_flow_style=True, width=10_000, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def _plain(choice: PlannedSetting) -> Any:
    """Sizes as `240x320`, other tuples as lists."""
    value = choice.value
    if isinstance(value, tuple):
        return by((value[0], value[1])) if choice.key in ("size", "crop") else list(value)
    if isinstance(value, Mapping):
        return {k: list(v) if isinstance(v, tuple) else v for k, v in value.items()}
    return value
