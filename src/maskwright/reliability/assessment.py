"""What promises of a model say of new images: of each, and of all of them together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from maskwright.data.samples import counted
from maskwright.reliability.familiarity import FLAGGED, SHIFTED, shift_p_value
from maskwright.reliability.mask_quality import mask_features
from maskwright.reliability.observations import ObservedPrediction, class_mask
from maskwright.reliability.promises import Promise
from maskwright.reliability.record import TrustRecord

UNLIKE = "unlike the training images"
"""What is said of an image with a p-value up to `FLAGGED`."""


@dataclass(frozen=True, kw_only=True)
class MaskAssessment:
    """What is known of the mask of one class in an image without ground truth.

    Args:
        expected_dice: `None` where there is no mask.
        lower_bound: Of the Dice; `None` where there were too few cases for one, or no mask.
        unfamiliar_p: How often an image like the calibration images is as unlike the training
            images, in (0, 1]; `None` where that is not told.
        decision: Whether the mask may be used unseen; `None` where no need of Dice was stated. An
            image without a mask of the class is referred: nothing promises that it holds none.
        reason: Of the decision, in words.
    """

    class_name: str
    expected_dice: float | None
    lower_bound: float | None
    unfamiliar_p: float | None
    decision: Literal["accept", "refer"] | None
    reason: str


def assess(
    record: TrustRecord, prediction: ObservedPrediction, names: Sequence[str]
) -> list[MaskAssessment]:
    """What is known of the mask of each class that promises were made for.

    Args:
        prediction: With probabilities.
        names: Of the classes, in the order of the labels.
    """
    features: dict[str, np.ndarray | None] = {}
    for name in record.classes:
        label, pair = names.index(name), (prediction, prediction.mirrored)
        masks = [class_mask(each.labels, label) for each in pair]
        values = [np.asarray(each.probabilities)[..., label] for each in pair]
        features[name] = mask_features(*values, *masks) if masks[0].any() else None
    return assess_features(record, features, prediction.channel_means)


def assess_features(
    record: TrustRecord,
    features: Mapping[str, np.ndarray | None],
    channel_means: np.ndarray | None,
) -> list[MaskAssessment]:
    """As `assess`, from the `mask_features` of each class, `None` where there is no mask."""
    p_value = None
    if record.familiarity is not None and channel_means is not None:
        p_value = float(record.familiarity.p_values(channel_means[None])[0])
    return [_assess_mask(record, name, features[name], p_value) for name in record.classes]


def _assess_mask(
    record: TrustRecord, name: str, features: np.ndarray | None, p_value: float | None
) -> MaskAssessment:
    expected = bound = None
    if features is not None:
        of_mask, of_bound = record.bounds(name, features[None])
        expected, bound = float(of_mask[0]), float(of_bound[0])
    decision, reason = _decide(record, name, expected, p_value)
    return MaskAssessment(
        class_name=name,
        expected_dice=expected,
        lower_bound=None if bound is None or np.isnan(bound) else bound,
        unfamiliar_p=p_value,
        decision=decision,
        reason=reason,
    )


def _decide(
    record: TrustRecord, name: str, expected: float | None, p_value: float | None
) -> tuple[Literal["accept", "refer"] | None, str]:
    if p_value is not None and p_value <= FLAGGED:
        return "refer", f"the image is {UNLIKE}"
    need, rule = record.asked.get("need_dice"), record.classes[name].accept
    if expected is None:
        return (None if rule is None and need is None else "refer"), f"no mask of {name}"
    if rule is None and need is not None:
        return "refer", f"no rule for a Dice of {need:g} could be made from the calibration images"
    if rule is None:
        return None, "no Dice that masks need was stated"
    threshold = rule.threshold
    if expected < threshold:
        return "refer", f"an expected Dice below {threshold:.4f}"
    return "accept", f"an expected Dice of at least {threshold:.4f}"


def shift_message(p_values: Sequence[float | None], record: TrustRecord) -> str | None:
    """Why no promise holds for some images, in a sentence; `None` where none is withheld.

    It is withheld where so many images are flagged that chance explains it in 1 % of such folders.

    Args:
        p_values: Of each image, as `MaskAssessment.unfamiliar_p`.
    """
    if record.familiarity is None:
        return None
    told = [value for value in p_values if value is not None]
    flagged = sum(value <= FLAGGED for value in told)
    num_cases = len(set(record.familiarity.cases.tolist()))
    if not flagged or shift_p_value(flagged, len(told), num_cases) > SHIFTED:
        return None
    return (
        f"{flagged} of {counted(len(told), 'image')} are {UNLIKE}, more than chance explains: "
        f"promises are withheld; make them from images like these with `maskwright trust`."
    )


def without_promise(mask: MaskAssessment) -> MaskAssessment:
    """The same where promises are withheld."""
    reason = f"promises are withheld: too many images are {UNLIKE}"
    return replace(mask, lower_bound=None, decision="refer", reason=reason)


def bound_promises(record: TrustRecord) -> Iterator[tuple[str, Promise]]:
    """Class, and promise of each outer and inner mask that can be drawn, in a fixed order."""
    for name, known in record.classes.items():
        for promise in (known.outer, known.inner):
            if promise is not None:
                yield name, promise
