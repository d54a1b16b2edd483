"""Alternatives to a plan, each with one change, for a comparison by cross-validation."""

from collections.abc import Iterator
from typing import Any

from maskwright.planning.plan import Plan
from maskwright.planning.plan_builder import PlannedSetting, by, is_pretrained

_MIN_SIDE = 96
_STRIDE = 32

_DECODER_REASONS: dict[str, str] = {
    "unet": "Full convolutions at each level improve outlines if the budget suffices.",
    "light": "A light decoder allows more steps within the budget.",
    "deeplab_v3_plus": "Context at several scales may separate the classes better.",
    "fpn": "Sums coarse and fine features at low cost.",
}
_DEFAULT_LOSS = ("ce+dice", "The default loss.")
_OTHER_LOSSES = {
    "ce+dice": ("ce", "Cross-entropy alone fits class frequencies."),
    "ce": ("ce+dice", "Dice weights all classes equally."),
}


def candidates(plan: Plan, count: int) -> list[Plan]:
    """At most `count - 1` alternatives to a plan, starting with the largest differences.

    Each has a name and changes one setting, or several that depend on each other; the reasons of
    these settings state the expected gain. Settings fixed by the user can change too.
    """
    alternatives: list[Plan] = []
    known = [plan.settings]
    for candidate in _all_candidates(plan):
        if len(alternatives) >= count - 1:
            break
        if candidate.settings not in known:
            known.append(candidate.settings)
            alternatives.append(candidate)
    return alternatives


def _all_candidates(plan: Plan) -> Iterator[Plan]:
    settings = plan.settings
    pretrained = is_pretrained(settings)
    usual = ("unet", "deeplab_v3_plus", "light") if pretrained else ("light", "unet", "fpn")
    decoders = [name for name in usual if name != settings.get("decoder")]

    def change(key: str, value: Any, reason: str, name: str) -> Plan:
        return plan.with_choices(PlannedSetting(key, value, reason), name=name)

    if "decoder" in settings:
        yield _with_decoder(plan, decoders[0])
    yield from _with_sizes(plan)
    if "decoder" in settings:
        yield _with_decoder(plan, decoders[1])
    loss, reason = _OTHER_LOSSES.get(settings.get("loss", "ce+dice"), _DEFAULT_LOSS)
    yield change("loss", loss, reason, f"loss {loss}")
    if not pretrained and settings.get("encoder") == "plain":
        reason = "Residual connections improve gradients in a deeper encoder."
        yield plan.without("encoder_widths", "decoder_widths").with_choices(
            PlannedSetting("encoder", "residual", reason), name="residual"
        )
    if settings.get("class_weights") == "balanced":
        yield change("class_weights", None, "Scores may not need class weights.", "unweighted")
    elif "class_weights" in settings:
        reason = "Rare classes may need larger weights."
        yield change("class_weights", "balanced", reason, "balanced")
    augmentation = {"strength": "medium", **(settings.get("augmentation") or {})}
    strength = "medium" if augmentation["strength"] == "light" else "light"
    reason = "Another augmentation strength may suit the variation of the images."
    changed = {**augmentation, "strength": strength}
    yield change("augmentation", changed, reason, f"augmentation {strength}")
    if "learning_rate" in settings:
        rate = float(f"{settings['learning_rate'] / 2:.1g}")
        reason = "A lower learning rate may converge to a better minimum."
        yield change("learning_rate", rate, reason, "slower")


def _with_decoder(plan: Plan, name: str) -> Plan:
    """Another decoder, with its default widths and deep supervision."""
    base = plan.without("decoder_widths", "deep_supervision")
    changed = [PlannedSetting("decoder", name, _DECODER_REASONS[name])]
    if name == "deeplab_v3_plus":
        reason = "Dilation replaces the last stride, as in DeepLab."
        changed.append(PlannedSetting("output_stride", 16, reason))
    else:
        base = base.without("output_stride")
    return base.with_choices(*changed, name=name)


def _with_sizes(plan: Plan) -> Iterator[Plan]:
    """Three quarters and four thirds of the size or crop."""
    key = "crop" if plan.settings.get("crop") else "size"
    size = plan.settings.get(key)
    if not isinstance(size, tuple):
        return
    for factor, name, reason in (
        (0.75, "smaller", "Less detail, but nearly twice the steps within the budget."),
        (4 / 3, "larger", "More detail and context, but half the steps within the budget."),
    ):
        sides = tuple(max(round(side * factor / _STRIDE), 1) * _STRIDE for side in size)
        if sides != size and max(sides) >= _MIN_SIDE:
            setting = PlannedSetting(key, sides, reason)
            yield plan.with_choices(setting, name=f"{name} ({by(sides)})")
