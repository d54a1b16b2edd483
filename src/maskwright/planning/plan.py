"""A plan: settings for a data set, a machine and a budget, each with its reason."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from maskwright.errors import one_line
from maskwright.imageio import dump_yaml
from maskwright.model_card import STEPS
from maskwright.planning.plan_builder import (
    SET_BY_USER,
    PlanBuilder,
    PlannedSetting,
    by,
    percent,
    plural,
)
from maskwright.planning.rules import masks, model, objects, scale, training

_MAX_CLASSES = 12
_MAX_MISSING_CLASSES = 5
_MIN_IGNORED_SHARE = 0.005
_FEW_VALIDATION_IMAGES = 5

RULES = (
    *(model.plan_encoder, model.plan_decoder, scale.plan_scale, scale.plan_crop_position),
    *(model.plan_batch_size, model.plan_memory_limit, model.plan_norm),
    *(masks.plan_loss, masks.plan_class_weights, training.plan_augmentation),
    *(training.plan_learning_rate, training.plan_budget, training.plan_early_stopping),
    *(masks.plan_min_area, masks.plan_fill_holes, masks.plan_keep_largest),
)
"""All rules in order; each is a function that reads and extends a `PlanBuilder`."""

OBJECT_RULES = (
    *(model.plan_encoder, objects.plan_objects, model.plan_decoder, model.plan_norm),
    *(masks.plan_loss, training.plan_augmentation, training.plan_freezing),
    *(training.plan_budget, training.plan_early_stopping),
)
"""Rules for single objects, whose thresholds are tuned on validation images."""

_ORDER = (
    *(
        "objects",
        "longer_side",
        "size",
        "crop",
        "favor_rare",
        "batch_size",
        "memory_limit_mb",
        "augmentation",
    ),
    *("encoder", "encoder_weights", "encoder_widths", "decoder", "decoder_widths", "norm"),
    *(
        "detector",
        "deep_supervision",
        "loss",
        "class_weights",
        "learning_rate",
        "encoder_rate",
        "freeze",
    ),
    *("minutes", "epochs", "patience", "average", "val_share", "calibration_share"),
    "unite_duplicates",
    *STEPS,
)
"""Order of settings in a plan; others follow."""


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


def plan(draft: PlanBuilder, split_settings: Sequence[PlannedSetting] = ()) -> Plan:
    """Derive settings from a data set, a machine and a budget.

    Args:
        split_settings: Settings of the splits that were changed before the data was measured.
    """
    for rule in OBJECT_RULES if draft["objects"] else RULES:
        rule(draft)
    for choice in split_settings:
        draft.choose(choice.key, choice.value, choice.reason)
    for key, value in draft.given.items():
        if key not in draft.choices:
            draft.choices[key] = PlannedSetting(key, value, SET_BY_USER)
    order = {key: place for place, key in enumerate(_ORDER)}
    choices = sorted(draft.choices.values(), key=lambda choice: order.get(choice.key, len(order)))
    return Plan(tuple(choices), _header(draft))


def comment(text: str) -> str:
    """A sentence as a comment in YAML, wrapped."""
    return textwrap.fill(
        one_line(text),
        width=100,
        initial_indent="# ",
        subsequent_indent="#   ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _yaml_value(choice: PlannedSetting) -> str:
    """Value as YAML on one line."""
    text = dump_yaml(_plain(choice), default_flow_style=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")


def _plain(choice: PlannedSetting) -> Any:
    """Value for YAML and JSON: sizes as `240x320`, other tuples as lists."""
    value = choice.value
    if isinstance(value, tuple):
        return by((value[0], value[1])) if choice.key in ("size", "crop") else list(value)
    if isinstance(value, Mapping):
        return {k: list(v) if isinstance(v, tuple) else v for k, v in value.items()}
    return value


def _header(draft: PlanBuilder) -> tuple[str, ...]:
    """Sentences on the data, the machine, and problems that settings cannot solve."""
    data = draft.data
    splits = ", ".join(f"{count:,} {split}" for split, count in data.images.items())
    images, cases = sum(data.images.values()), sum(data.cases.values())
    height, width = data.median_size
    channels = f"{plural(data.channels, 'channel')}, {data.dtype}"
    if data.channels == 3:
        kind = "gray" if data.color_share == 0 else "color"
        if 0 < data.color_share < 0.95:
            kind = f"{percent(data.color_share)} of the images in color"
        channels += f", {kind}"
    epochs = draft.given.get("epochs")
    budget = f"{epochs:,} epochs" if epochs else f"{draft.minutes:g} minutes"
    sentences = [
        f"A plan for {data.source}, {budget} on {draft.machine}.",
        f"{plural(images, 'image')} in {plural(cases, 'case')}: {splits}. "
        f"{plural(data.images_read, 'training image')} were measured.",
        f"Median size {by((round(height), round(width)))}, {channels}.",
        f"Classes, with share of pixels and number of images: {_classes(draft)}.",
    ]
    if data.objects and draft["objects"]:
        sentences.append(objects.object_facts(data.objects))
    if data.spacing_mm:
        sentences.append(f"Pixel size: {data.spacing_mm:g} mm.")
    sentences += [*_timing(draft), *_warnings(draft)]
    sentences.append(
        "Use with: maskwright train DATA -o RUN --plan THIS_FILE; --set changes a value."
    )
    return tuple(sentences)


def _classes(draft: PlanBuilder) -> str:
    present = [each for each in draft.data.classes if each.images]
    listed = sorted(present, key=lambda each: -each.share)[:_MAX_CLASSES]
    text = ", ".join(f"{each.name} {percent(each.share)} ({each.images:,})" for each in listed)
    more = len(present) - len(listed)
    return f"{text} and {more} more" if more else text


def _timing(draft: PlanBuilder) -> list[str]:
    timing = draft.timing
    if timing is None or not timing.parameters or timing.estimated:
        return []
    network = f"with {timing.parameters:,} parameters"
    if timing.busy_s:
        return [
            f"Warning: other processes used the CPU. A training step {network} took "
            f"{timing.busy_s:.2g} s; the plan assumes {timing.step_s:.2g} s, from its CPU time."
        ]
    return [f"A training step {network} took {timing.step_s:.2g} s."]


def _warnings(draft: PlanBuilder) -> list[str]:
    """Problems of the data that settings cannot solve."""
    data = draft.data
    warnings = []
    missing = [each.name for each in data.classes if not each.images]
    if missing:
        names = ", ".join(missing[:_MAX_MISSING_CLASSES])
        names += ", …" * (len(missing) > _MAX_MISSING_CLASSES)
        images = "training" if data.images_read == data.num_training else "measured"
        warnings.append(
            f"Warning: {len(missing)} of {len(data.classes)} classes ({names}) do not occur in the "
            f"{images} images."
        )
    if data.instances and draft.given.get("objects") is None:
        warnings.append(
            "The masks distinguish objects; touching objects of a class are merged, unless "
            "objects=auto is set."
        )
    if data.skipped:
        warnings.append(f"Warning: {plural(data.skipped, 'training image')} could not be read.")
    if data.ignored_share >= _MIN_IGNORED_SHARE:
        warnings.append(f"{percent(data.ignored_share)} of the pixels are ignored.")
    validation = data.images.get("val", 0)
    if validation < _FEW_VALIDATION_IMAGES:
        warnings.append(
            f"Warning: {plural(validation, 'validation image')}, too few for reliable scores."
        )
    return warnings
