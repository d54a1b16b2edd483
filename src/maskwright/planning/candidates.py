"""Rivals of a plan: others that might do better, each different in one thing, to be compared."""

from collections.abc import Iterator
from dataclasses import replace

from maskwright.planning.model_rules import is_pretrained
from maskwright.planning.plan import Plan
from maskwright.planning.plan_builder import PlannedSetting, by

_LEAST_SIDE = 96
_STRIDE = 32


def candidates(plan: Plan, count: int) -> list[Plan]:
    """At most `count - 1` rivals of a plan, the most different kinds first.

    Each has a name and differs in one choice, or in those that belong together; its reasons say
    why it might do better. Settings made by hand are changed too where a rival is about them.

    Args:
        plan: To compare with.
        count: Of all plans that are to be compared, this one included.
    """
    found: list[Plan] = []
    seen = [plan.settings]
    for rival in _rivals(plan):
        if len(found) >= count - 1:
            break
        if rival.settings not in seen:
            seen.append(rival.settings)
            found.append(rival)
    return found


def _rivals(plan: Plan) -> Iterator[Plan]:
    pretrained = is_pretrained(plan.settings)
    usual = ("unet", "deeplab_v3_plus", "light") if pretrained else ("light", "unet", "fpn")
    decoders = [name for name in usual if name != plan.settings.get("decoder")]
    if "decoder" in plan.settings:
        yield _decoder(plan, decoders[0])
    yield from _sizes(plan)
    if "decoder" in plan.settings:
        yield _decoder(plan, decoders[1])
    yield _loss(plan)
    if not pretrained and plan.settings.get("encoder") == "plain":
        said = "Shortcuts carry gradients through a deeper encoder."
        yield _without(plan, "encoder_widths", "decoder_widths").with_choices(
            PlannedSetting("encoder", "residual", said), name="residual"
        )
    if "class_weights" in plan.settings:
        balanced = plan.settings["class_weights"] == "balanced"
        value = None if balanced else "balanced"
        said = "Scores may not need it." if balanced else "Rare classes may need it."
        name = "unweighted" if balanced else "balanced"
        yield plan.with_choices(PlannedSetting("class_weights", value, said), name=name)
    yield _augmentation(plan)
    if "learning_rate" in plan.settings:
        rate = float(f"{plan.settings['learning_rate'] / 2:.1g}")
        said = "A lower rate may settle better."
        yield plan.with_choices(PlannedSetting("learning_rate", rate, said), name="slower")


def _without(plan: Plan, *keys: str) -> Plan:
    return replace(plan, choices=tuple(c for c in plan.choices if c.key not in keys))


_WHY: dict[str, str] = {
    "unet": "Full convolutions at every step place outlines better, where the time allows them.",
    "light": "A light decoder takes more steps in the same time.",
    "deeplab_v3_plus": "Context from several distances may tell classes apart.",
    "fpn": "Coarse and fine features are joined by sums, at little cost.",
}


def _decoder(plan: Plan, name: str) -> Plan:
    """Another decoder at its own widths, with supervision as its paper has it."""
    base = _without(plan, "decoder_widths", "deep_supervision")
    changed = [PlannedSetting("decoder", name, _WHY[name])]
    if name == "deeplab_v3_plus":
        said = "Dilated instead of the last halving, as the decoder expects."
        changed.append(PlannedSetting("output_stride", 16, said))
    else:
        base = _without(base, "output_stride")
    return base.with_choices(*changed, name=name)


def _sizes(plan: Plan) -> Iterator[Plan]:
    """Three quarters of the size or crop, and four thirds."""
    key = "crop" if plan.settings.get("crop") else "size"
    size = plan.settings.get(key)
    if not isinstance(size, tuple):
        return
    for factor, name, said in (
        (0.75, "smaller", "Less detail, but nearly twice the steps in the same time."),
        (4 / 3, "larger", "More detail and context, for half the steps in the same time."),
    ):
        sides = tuple(max(round(side * factor / _STRIDE), 1) * _STRIDE for side in size)
        if sides != size and max(sides) >= _LEAST_SIDE:
            made = plan.with_choices(PlannedSetting(key, sides, said), name=f"{name} ({by(sides)})")
            yield made


def _loss(plan: Plan) -> Plan:
    now = plan.settings.get("loss", "ce+dice")
    other, said = {
        "ce+dice": ("ce", "Cross-entropy alone follows true proportions."),
        "ce": ("ce+dice", "Dice counts every class alike, however rare."),
    }.get(now, ("ce+dice", "What is usual, without regard to what is special about the data."))
    return plan.with_choices(PlannedSetting("loss", other, said), name=f"loss {other}")


def _augmentation(plan: Plan) -> Plan:
    now = dict(plan.settings.get("augmentation") or {"strength": "medium"})
    now["strength"] = "light" if now.get("strength") != "light" else "medium"
    said = "Images may differ enough, or too little, for another strength."
    name = f"augmentation {now['strength']}"
    return plan.with_choices(PlannedSetting("augmentation", now, said), name=name)
