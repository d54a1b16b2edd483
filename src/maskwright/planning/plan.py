"""A plan: settings for a data set, a machine and a budget, each with its reason."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from maskwright.model_card import STEPS
from maskwright.planning.hardware import Machine, Timing
from maskwright.planning.plan_builder import (
    SET_BY_USER,
    EncoderWeights,
    PlanBuilder,
    PlannedSetting,
    SizeLevel,
    by,
)
from maskwright.planning.plan_header import plan_header
from maskwright.planning.rules import batch, model, postprocessing, scale, training
from maskwright.planning.stats.dataset_stats import DatasetStats

_COLUMNS = 100

RULES = (*model.RULES, *scale.RULES, *batch.RULES, *training.RULES, *postprocessing.RULES)
"""All rules in order; each is a function that reads and extends a `PlanBuilder`."""

_ORDER = (
    *("size", "crop", "favor_rare", "batch_size", "memory_limit_mb", "augmentation"),
    *("encoder", "encoder_weights", "encoder_widths", "decoder", "decoder_widths", "norm"),
    *("deep_supervision", "loss", "class_weights", "learning_rate", "encoder_rate", "freeze"),
    *("minutes", "epochs", "patience", "average", "val_share", "unite_duplicates"),
    *STEPS,
)
"""Order of settings in a plan; others follow."""

_SEMANTIC_ONLY = {"class_weights", "favor_rare", *STEPS}
"""Settings that are not planned for instance segmentation."""


@dataclass(frozen=True)
class Plan:
    """Settings in reading order, each with its reason."""

    choices: tuple[PlannedSetting, ...]
    header: tuple[str, ...] = ()
    name: str = "plan"

    @property
    def settings(self) -> dict[str, Any]:
        """Fields of `TrainConfig`, as `train` accepts them."""
        return {choice.key: choice.value for choice in self.choices}

    def with_choices(self, *changed: PlannedSetting, name: str | None = None) -> "Plan":
        """The plan with some settings changed, or added at the end."""
        new = {choice.key: choice for choice in changed}
        choices = [new.pop(choice.key, choice) for choice in self.choices]
        return replace(self, choices=(*choices, *new.values()), name=name or self.name)

    def without(self, *keys: str) -> "Plan":
        """The plan without some settings."""
        return replace(self, choices=tuple(c for c in self.choices if c.key not in keys))

    def to_yaml(self) -> str:
        """Settings file for `maskwright train --plan`, with reasons as comments."""
        lines = [comment(sentence) for sentence in self.header]
        for choice in self.choices:
            lines += ["", comment(choice.reason), f"{choice.key}: {_yaml_value(choice)}"]
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
    weights: EncoderWeights | None = None,
    given: Mapping[str, Any] | None = None,
    size_level: SizeLevel | None = None,
    timing: Timing | None = None,
    split_settings: Sequence[PlannedSetting] = (),
) -> Plan:
    """Derive settings from a data set, a machine and a budget.

    Args:
        given: Settings fixed by the user, with the values of `TrainConfig`; other settings are
            chosen to fit them. Of `augmentation`, only the changed parameters.
        timing: Measured training step of this plan; `None` if it was not timed.
        split_settings: Settings of the splits that were changed before `data` was measured.
    """
    draft = PlanBuilder(
        data,
        machine,
        minutes,
        weights or EncoderWeights(),
        dict(given or {}),
        size_level or SizeLevel(),
        timing,
    )
    for rule in RULES:
        rule(draft)
    for choice in split_settings:
        draft.choose(choice.key, choice.value, choice.reason)
    if draft["objects"]:  # instance segmentation tunes its thresholds on validation images
        for key in _SEMANTIC_ONLY - draft.given.keys():
            draft.choices.pop(key, None)
    for key, value in draft.given.items():
        if key not in draft.choices:
            draft.choices[key] = PlannedSetting(key, value, SET_BY_USER)
    ordered = [key for key in _ORDER if key in draft.choices]
    rest = [key for key in draft.choices if key not in ordered]
    return Plan(tuple(draft.choices[key] for key in (*ordered, *rest)), plan_header(draft))


def comment(text: str) -> str:
    """A sentence as a comment in YAML, wrapped."""
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


def _yaml_value(choice: PlannedSetting) -> str:
    """Value as YAML on one line."""
    text = yaml.safe_dump(_plain(choice), default_flow_style=True, width=10_000, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def _plain(choice: PlannedSetting) -> Any:
    """Value for YAML and JSON: sizes as `240x320`, other tuples as lists."""
    value = choice.value
    if isinstance(value, tuple):
        return by((value[0], value[1])) if choice.key in ("size", "crop") else list(value)
    if isinstance(value, Mapping):
        return {k: list(v) if isinstance(v, tuple) else v for k, v in value.items()}
    return value
