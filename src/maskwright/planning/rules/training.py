"""Rules for training: augmentation, learning rates, budget, early stopping."""

import math
from typing import Any

from maskwright.planning.plan_builder import PlanBuilder, min_useful_steps, percent, plural
from maskwright.planning.stats.dataset_stats import DatasetStats
from maskwright.planning.stats.symmetry import MIN_IMAGES, left_right_pair

_MIN_POSITION_EFFECT, _MIN_BRIGHTNESS_EFFECT = 0.05, 0.1  # under vertical flips
_UPRIGHT_LEVEL = 0.1  # high: flips of upright images harm more than missing flips
_MAX_ANISOTROPY = 1.25
_FEW, _MANY = 40, 5000  # training images
_LEARNING_RATE, _REFERENCE_BATCH = 4e-3, 16
_AVERAGE = 0.15
_MIN_VALIDATION_IMAGES = 3


def plan_augmentation(draft: PlanBuilder) -> None:
    """Choose `augmentation`."""
    data = draft.data
    few = data.num_training < _FEW
    strength = "strong" if few else "light" if data.num_training >= _MANY else "medium"
    planned: dict[str, Any] = {"strength": strength}
    reasons = [f"{plural(data.num_training, 'training image')}: {strength} augmentation"]
    if few:
        planned["elastic"] = 0.0
        reasons[0] += " without elastic deformation"
    pair = left_right_pair([each.name for each in data.classes])
    sided = [each for each in data.foreground if each.left_right.is_sided(each.images)]
    if pair:
        planned["flip_horizontal"] = 0.0
        reasons.append(f"horizontal flips would turn {pair[0]} into {pair[1]}: no horizontal flips")
    elif sided:
        planned["flip_horizontal"] = 0.0
        shift = percent(sided[0].left_right.effect)
        reasons.append(
            f"horizontal flips would move {sided[0].name} by {shift} of the width: no horizontal "
            f"flips"
        )
    oriented, effects = _orientation(data)
    if data.images_read < MIN_IMAGES:
        planned["rotate_degrees"] = 10
        reasons.append(
            f"{plural(data.images_read, 'image')} are too few to test for a vertical orientation: "
            f"no vertical flips"
        )
    elif oriented:
        planned["rotate_degrees"] = 10
        reasons.append(f"{effects}: no vertical flips, little rotation")
    else:
        planned["flip_vertical"] = 0.5
        reasons.append(f"{effects}: vertical flips")
        if not (pair or sided) and 1 / _MAX_ANISOTROPY <= data.anisotropy <= _MAX_ANISOTROPY:
            planned["rotate_degrees"] = 180
            reasons.append(f"texture is isotropic (ratio {data.anisotropy:.2f}): any rotation")
    if draft.thin:
        planned["blur"] = 0.0
        reasons.append("no blur, which removes thin structures")
    draft.choose("augmentation", planned, "; ".join(reasons) + ".")


def _orientation(data: DatasetStats) -> tuple[bool, str]:
    """Whether images have a vertical orientation, and a clause on the effects of vertical flips."""
    masks, light, detail = data.up_down, data.brightness_up_down, data.detail_up_down
    position = f"foreground position by {percent(masks.effect)} of the height"
    tests = [
        (masks, _MIN_POSITION_EFFECT, position),
        (light, _MIN_BRIGHTNESS_EFFECT, f"brightness by {light.effect:.2f} SD"),
        (detail, _MIN_BRIGHTNESS_EFFECT, f"detail by {detail.effect:.2f} SD"),
    ]
    significant = [test for test in tests if test[0].significant(test[1], _UPRIGHT_LEVEL)]
    if significant:
        tests = [min(significant, key=lambda test: test[0].p_value)]
    clauses = [
        f"{clause} (p = {asymmetry.p_value:.2g})" if asymmetry.effect >= min_effect else clause
        for asymmetry, min_effect, clause in tests
    ]
    return bool(significant), f"vertical flips change {', '.join(clauses)}"


def plan_learning_rate(draft: PlanBuilder) -> None:
    """Choose `learning_rate`, `freeze` and `encoder_rate`."""
    batch = draft["batch_size"]
    rate = _LEARNING_RATE * math.sqrt(min(batch / _REFERENCE_BATCH, 1.0))
    reason = f"Tuned for AdamW at a batch size of {_REFERENCE_BATCH}"
    if batch < _REFERENCE_BATCH:
        reason += f", scaled by the square root of {batch}/{_REFERENCE_BATCH}"
    draft.choose("learning_rate", float(f"{rate:.1g}"), f"{reason}.")
    plan_freezing(draft)


def plan_freezing(draft: PlanBuilder) -> None:
    """Choose `freeze` and `encoder_rate`."""
    images = draft.data.num_training
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
