"""How it learns: loss, weights of classes, augmentation that the images permit, schedule."""

import math
from typing import Any

from maskwright.planning.dataset_stats import DatasetStats
from maskwright.planning.model_rules import is_pretrained
from maskwright.planning.plan_builder import PlanBuilder, percent
from maskwright.planning.symmetry import FEWEST, Asymmetry

_OFTEN_EMPTY = 0.1  # of the masks
_LITTLE = 0.01  # of the pixels
_RARE = 0.01
_MOVES, _CHANGES = 0.05, 0.1  # effects on masks and images from which up differs from down
_ONE_SIDED = 0.3  # of the width: what is always in one half moves by half on average
_SIDED_IMAGES = 10
_GRAIN = 1.25  # between rows and columns, either way, below which they look alike
_FEW, _MANY = 40, 5000  # training images
_RATE, _RATE_BATCH = 4e-3, 16
_LEAST_VALIDATED = 3


def plan_training(draft: PlanBuilder) -> None:
    """Choose `loss`, `class_weights`, `augmentation`, rates, `minutes` and when to stop."""
    _loss(draft)
    _class_weights(draft)
    _augmentation(draft)
    _schedule(draft)


def _loss(draft: PlanBuilder) -> None:
    data = draft.data
    empty = data.empty_share > _OFTEN_EMPTY
    little = data.background is not None and data.object_share < _LITTLE
    objects = percent(data.object_share)
    overlap = "tversky" if little else "dice"
    if draft.thin and draft.mostly_thin:
        share = "0.3" if empty else "0.5"
        thin = draft.thin[0]
        said = f"{thin.name} is {thin.slenderness:.0f} times as long as wide; clDice counts whether"
        draft.choose("loss", f"ce+{share}*{overlap}+{share}*cldice", f"{said} lines stay whole.")
    elif empty:
        said = (
            f"{percent(data.empty_share)} of the masks are empty: there overlap has nothing to "
            f"count, so that it weighs 0.3, over the whole batch."
        )
        if little:
            said += f" Objects fill {objects} where there are any; Tversky fears missing them more."
        draft.choose("loss", f"ce+0.3*{overlap}", said)
    elif little:
        said = f"Objects fill {objects} of the pixels; Tversky minds missed ones more than false"
        draft.choose("loss", "ce+tversky", f"{said}.")
    else:
        said = "Cross-entropy for true proportions, Dice to count every class alike; "
        if data.background is None:
            said += (
                f"the rarest, {draft.rarest.name}, has {percent(draft.rarest.share)} of the pixels."
            )
        else:
            said += f"objects fill {objects} of the pixels, {percent(data.empty_share)} of the "
            said += "masks are empty."
        draft.choose("loss", "ce+dice", said)


def _class_weights(draft: PlanBuilder) -> None:
    objects, rare = draft.data.objects, draft.rarest
    if len(objects) >= 3 and rare.share < _RARE:
        said = f"{rare.name} has {percent(rare.share)} of the pixels; weights are at most 25 apart."
        draft.choose("class_weights", "balanced", said)
    elif "class_weights" in draft.given:
        draft.choose("class_weights", None, "")
    elif rare.share < _RARE:
        said = f"{rare.name} has {percent(rare.share)} of the pixels, but the loss sees to that."
        draft.choose("class_weights", None, said)
    else:
        said = f"The rarest class, {rare.name}, has {percent(rare.share)} of the pixels."
        draft.choose("class_weights", None, said)


def _augmentation(draft: PlanBuilder) -> None:
    data = draft.data
    planned: dict[str, Any] = {"strength": "medium"}
    if data.training < _FEW:
        planned = {"strength": "strong", "elastic": 0.0}
        said = [f"{data.training} training images must serve many times, so strong, but not bent"]
    elif data.training >= _MANY:
        planned = {"strength": "light"}
        said = [f"{data.training:,} training images differ enough among themselves"]
    else:
        said = [f"{data.training:,} training images"]
    sided = [
        one
        for one in data.objects
        if one.left_right.shown(_ONE_SIDED, 0.01) and one.images >= _SIDED_IMAGES
    ]
    upright = _upright(data)
    if sided:
        planned["flip_horizontal"] = 0.0
        share = percent(sided[0].left_right.effect)
        said.append(f"mirrored, {sided[0].name} would move by {share} of the width: no such flips")
    if data.looked_at < FEWEST:
        planned["rotate_degrees"] = 10
        said.append(f"{data.looked_at} images cannot tell whether up is up: no vertical flips")
    elif upright:
        planned["rotate_degrees"] = 10
        said.append(f"upside down {upright}: no vertical flips, little rotation")
    else:
        planned["flip_vertical"] = 0.5
        said.append(f"upside down {_alike(data)}")
        if not sided and 1 / _GRAIN <= data.grain <= _GRAIN:
            planned["rotate_degrees"] = 180
            said.append(f"rows look like columns ({data.grain:.2f}): any angle")
    if draft.thin and draft.mostly_thin:
        planned["blur"] = 0.0
        said.append("no blur, which fine lines do not survive")
    draft.choose("augmentation", planned, "; ".join(said) + ".")


def _clues(data: DatasetStats) -> list[tuple[Asymmetry, float, str]]:
    """What may tell up from down: how far images differ upside down, and from when that counts."""
    masks, light, detail = data.up_down, data.light_up_down, data.detail_up_down
    return [
        (masks, _MOVES, f"what is masked moves by {percent(masks.effect)} of the height"),
        (light, _CHANGES, f"light changes by {light.effect:.2f} deviations"),
        (detail, _CHANGES, f"detail changes by {detail.effect:.2f}"),
    ]


def _upright(data: DatasetStats) -> str:
    """What shows that up is not down; empty where nothing does.

    A tenth of chance is enough: photographs turned over harm more than flips that are not made.
    """
    shown = [(clue, told) for clue, least, told in _clues(data) if clue.shown(least, 0.1)]
    if not shown:
        return ""
    clue, told = min(shown, key=lambda pair: pair[0].chance)
    return f"{told}, by chance in {percent(clue.chance)} of trials"


def _alike(data: DatasetStats) -> str:
    """That what changes upside down is little, or comes by chance."""
    parts = [
        f"{told} (by chance in {percent(clue.chance)} of trials)" if clue.effect >= least else told
        for clue, least, told in _clues(data)
    ]
    return f"{', '.join(parts)}: vertical flips too"


def _schedule(draft: PlanBuilder) -> None:
    data, batch = draft.data, draft["batch_size"]
    rate = _RATE * math.sqrt(min(batch / _RATE_BATCH, 1.0))
    rate = float(f"{rate:.1g}")
    said = "What trains well with AdamW at 16 images a step"
    if batch < _RATE_BATCH:
        said += f", times the root of {batch}/16"
    draft.choose("learning_rate", rate, f"{said}.")
    pretrained = is_pretrained(draft.settings)
    if pretrained:
        said = "Of the time; a decoder that knows nothing yet would spoil pretrained weights."
        draft.choose("freeze", 0.2, said)
        few = data.training < _FEW
        said = f"With {data.training:,} training images "
        said += "an encoder that learns fast forgets." if few else "the encoder may adapt."
        draft.choose("encoder_rate", 0.1 if few else 0.25, said)
    _length(draft, 2 if pretrained else 1)
    validated = data.images.get("val", 0)
    if validated < _LEAST_VALIDATED:
        said = f"{validated or 'No'} validation image{'s' * (validated != 1)} cannot tell when to "
        draft.choose("patience", None, f"{said}stop.")


def _length(draft: PlanBuilder, phases: int) -> None:
    data, batch, timing = draft.data, draft["batch_size"], draft.timing
    if draft.given.get("epochs") is not None:
        draft.choose("epochs", None, "")
        return
    if timing is None:
        draft.choose("minutes", draft.minutes, "No step was measured; their number is not known.")
        draft.choose("average", 0.15, "Of the steps so far, whatever their number.")
        return
    steps = timing.steps(draft.minutes, phases)
    passes = steps * batch / max(data.training, 1)
    how = "estimated from another size" if timing.estimated else "measured"
    said = f"About {steps:,} steps of {timing.step_s:.2g} s, {how}: {passes:,.1f} passes over "
    said += f"{data.training:,} image{'s' * (data.training != 1)}."
    if steps < (useful := useful_steps(is_pretrained(draft.settings))):
        said += f" That is few; {useful} steps would be useful: give more minutes."
    draft.choose("minutes", draft.minutes, said)
    last = f"the weights of the last {max(int(0.15 * steps), 1):,} steps or so are averaged"
    draft.choose("average", 0.15, f"Of the steps so far: in the end, {last}.")


def useful_steps(pretrained: bool) -> int:
    """Fewest steps that make a run worth its time."""
    return 150 if pretrained else 300
