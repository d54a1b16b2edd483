"""Rules for training: loss, class weights, augmentation, learning rates, budget, early stopping."""

import math
from typing import Any

from maskwright.planning.plan_builder import PlanBuilder, percent, plural
from maskwright.planning.stats.dataset_stats import DatasetStats
from maskwright.planning.stats.symmetry import MIN_IMAGES, Asymmetry

_EMPTY_SHARE = 0.1  # of the masks
_RARE_FOREGROUND = 0.01  # of the pixels
_RARE_CLASS = 0.01
_MIN_POSITION_EFFECT, _MIN_BRIGHTNESS_EFFECT = 0.05, 0.1  # under vertical flips
_UPRIGHT_LEVEL = 0.1  # high: flips of upright images harm more than missing flips
_SIDED_EFFECT = 0.3  # of the width: a class that is always in one half moves by half on average
_SIDED_LEVEL = 0.01
_MIN_SIDED_IMAGES = 10
_MAX_ANISOTROPY = 1.25
_FEW, _MANY = 40, 5000  # training images
_LEARNING_RATE, _REFERENCE_BATCH = 4e-3, 16
_AVERAGE = 0.15
_MIN_VALIDATION_IMAGES = 3


def plan_loss(draft: PlanBuilder) -> None:
    """Choose `loss`."""
    data = draft.data
    empty = data.empty_share > _EMPTY_SHARE
    rare = data.background is not None and data.foreground_share < _RARE_FOREGROUND
    foreground = percent(data.foreground_share)
    overlap = "tversky" if rare else "dice"
    if thin := draft.thin:
        weight = "0.3" if empty else "0.5"
        reason = f"{thin[0].name} is {thin[0].slenderness:.0f} times as long as wide; clDice "
        loss = f"ce+{weight}*{overlap}+{weight}*cldice"
        draft.choose("loss", loss, f"{reason}penalizes interrupted lines.")
    elif empty:
        reason = (
            f"{percent(data.empty_share)} of the masks are empty, where overlap is undefined: the "
            f"overlap loss has weight 0.3 and is computed over the whole batch."
        )
        if rare:
            reason += f" Foreground covers {foreground} of the other masks; Tversky penalizes "
            reason += "false negatives more than false positives."
        draft.choose("loss", f"ce+0.3*{overlap}", reason)
    elif rare:
        reason = f"Foreground covers {foreground} of the pixels; Tversky penalizes false negatives "
        draft.choose("loss", "ce+tversky", f"{reason}more than false positives.")
    else:
        reason = "Cross-entropy fits class frequencies, Dice weights all classes equally; "
        if data.background is None:
            rarest = draft.rarest
            reason += f"the rarest class, {rarest.name}, covers {percent(rarest.share)} of the "
            reason += "pixels."
        else:
            reason += f"foreground covers {foreground} of the pixels, and "
            reason += f"{percent(data.empty_share)} of the masks are empty."
        draft.choose("loss", "ce+dice", reason)


def plan_class_weights(draft: PlanBuilder) -> None:
    """Choose `class_weights`."""
    rarest = draft.rarest
    reason = f"The rarest class, {rarest.name}, covers {percent(rarest.share)} of the pixels"
    rare = rarest.share < _RARE_CLASS
    if rare and len(draft.data.foreground) >= 3:
        reason += "; weights differ by a factor of at most 25."
        draft.choose("class_weights", "balanced", reason)
    else:
        reason += "; the loss accounts for that." if rare else "."
        draft.choose("class_weights", None, reason)


def plan_augmentation(draft: PlanBuilder) -> None:
    """Choose `augmentation`."""
    data = draft.data
    planned: dict[str, Any] = {"strength": "medium"}
    images = plural(data.num_training, "training image")
    if data.num_training < _FEW:
        planned = {"strength": "strong", "elastic": 0.0}
        reasons = [f"{images}: strong augmentation without elastic deformation"]
    elif data.num_training >= _MANY:
        planned = {"strength": "light"}
        reasons = [f"{images}: light augmentation"]
    else:
        reasons = [f"{images}: medium augmentation"]
    sided = [
        each
        for each in data.foreground
        if each.left_right.significant(_SIDED_EFFECT, _SIDED_LEVEL)
        and each.images >= _MIN_SIDED_IMAGES
    ]
    if sided:
        planned["flip_horizontal"] = 0.0
        shift = percent(sided[0].left_right.effect)
        reasons.append(
            f"horizontal flips would move {sided[0].name} by {shift} of the width: no horizontal "
            f"flips"
        )
    if data.images_read < MIN_IMAGES:
        planned["rotate_degrees"] = 10
        reasons.append(
            f"{plural(data.images_read, 'image')} are too few to test for a vertical orientation: "
            f"no vertical flips"
        )
    elif orientation := _orientation(data):
        planned["rotate_degrees"] = 10
        reasons.append(f"{orientation}: no vertical flips, little rotation")
    else:
        planned["flip_vertical"] = 0.5
        reasons.append(f"{_no_orientation(data)}: vertical flips")
        if not sided and 1 / _MAX_ANISOTROPY <= data.anisotropy <= _MAX_ANISOTROPY:
            planned["rotate_degrees"] = 180
            reasons.append(f"texture is isotropic (ratio {data.anisotropy:.2f}): any rotation")
    if draft.thin:
        planned["blur"] = 0.0
        reasons.append("no blur, which removes thin structures")
    draft.choose("augmentation", planned, "; ".join(reasons) + ".")


def _orientation_tests(data: DatasetStats) -> list[tuple[Asymmetry, float, str]]:
    """Tests for a vertical orientation: asymmetry, minimum effect, and a clause on the effect."""
    masks, light, detail = data.up_down, data.brightness_up_down, data.detail_up_down
    return [
        (
            masks,
            _MIN_POSITION_EFFECT,
            f"foreground position by {percent(masks.effect)} of the height",
        ),
        (light, _MIN_BRIGHTNESS_EFFECT, f"brightness by {light.effect:.2f} SD"),
        (detail, _MIN_BRIGHTNESS_EFFECT, f"detail by {detail.effect:.2f} SD"),
    ]


def _orientation(data: DatasetStats) -> str:
    """Clause on the most significant effect of vertical flips; empty if there is none."""
    significant = [
        (asymmetry.p_value, clause)
        for asymmetry, min_effect, clause in _orientation_tests(data)
        if asymmetry.significant(min_effect, _UPRIGHT_LEVEL)
    ]
    if not significant:
        return ""
    p_value, clause = min(significant, key=lambda pair: pair[0])
    return f"vertical flips change {clause} (p = {p_value:.2g})"


def _no_orientation(data: DatasetStats) -> str:
    """Clause on effects of vertical flips that are small or not significant."""
    clauses = [
        f"{clause} (p = {asymmetry.p_value:.2g})" if asymmetry.effect >= min_effect else clause
        for asymmetry, min_effect, clause in _orientation_tests(data)
    ]
    return f"vertical flips change {', '.join(clauses)}"


def plan_learning_rate(draft: PlanBuilder) -> None:
    """Choose `learning_rate`, `freeze` and `encoder_rate`."""
    images, batch = draft.data.num_training, draft["batch_size"]
    rate = _LEARNING_RATE * math.sqrt(min(batch / _REFERENCE_BATCH, 1.0))
    reason = f"Tuned for AdamW at a batch size of {_REFERENCE_BATCH}"
    if batch < _REFERENCE_BATCH:
        reason += f", scaled by the square root of {batch}/{_REFERENCE_BATCH}"
    draft.choose("learning_rate", float(f"{rate:.1g}"), f"{reason}.")
    if not draft.pretrained:
        return
    reason = "Fraction of training: gradients of an untrained decoder degrade pretrained weights."
    draft.choose("freeze", 0.2, reason)
    reason = f"Fine-tuning on {plural(images, 'training image')}"
    if images < _FEW:
        draft.choose("encoder_rate", 0.1, f"{reason}: a higher rate would overfit.")
    else:
        draft.choose("encoder_rate", 0.25, f"{reason}.")


def plan_budget(draft: PlanBuilder) -> None:
    """Choose `minutes` and `average`, or `epochs` if the user has set them."""
    data, timing, minutes = draft.data, draft.timing, draft.minutes
    if draft.given.get("epochs") is not None:
        draft.choose("epochs", None, "")
        return
    average = "Window of the moving average of weights, as a fraction of the steps so far"
    if timing is None:
        draft.choose("minutes", minutes, "No training step was timed.")
        draft.choose("average", _AVERAGE, f"{average}.")
        return
    steps = timing.steps(minutes, 2 if draft.pretrained else 1)
    epochs = steps * draft["batch_size"] / max(data.num_training, 1)
    method = "estimated from another size" if timing.estimated else "measured"
    reason = f"About {plural(steps, 'step')} of {timing.step_s:.2g} s, {method}: {epochs:,.1f} "
    reason += f"epochs of {plural(data.num_training, 'image')}."
    min_steps = min_useful_steps(draft.pretrained)
    if steps < min_steps:
        reason += f" At least {min_steps} steps are recommended: increase the minutes."
    draft.choose("minutes", minutes, reason)
    window = max(int(_AVERAGE * steps), 1)
    draft.choose("average", _AVERAGE, f"{average}: {plural(window, 'step')} at the end.")


def plan_early_stopping(draft: PlanBuilder) -> None:
    """Disable `patience` if there are too few validation images."""
    images = draft.data.images.get("val", 0)
    if images < _MIN_VALIDATION_IMAGES:
        reason = f"{plural(images, 'validation image')}, too few for early stopping."
        draft.choose("patience", None, reason)


def min_useful_steps(pretrained: bool) -> int:
    """Smallest recommended number of training steps."""
    return 150 if pretrained else 300


RULES = (
    *(plan_loss, plan_class_weights, plan_augmentation),
    *(plan_learning_rate, plan_budget, plan_early_stopping),
)
"""Rules of this module, in order."""
