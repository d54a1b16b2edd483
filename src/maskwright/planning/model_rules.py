"""The network: where features come from, what makes masks of them, and what keeps them even."""

from collections.abc import Mapping
from typing import Any

from maskwright.architectures import SCRATCH
from maskwright.planning.plan_builder import PlanBuilder, measured

_MANY_CHANNELS = 4
_MANY_CLASSES = 24
_SMALL_BATCH = 8
_NARROW, _WIDE = (16, 32, 64, 96, 128), (32, 64, 128, 256, 512)
_SUPERVISION = 0.3
_MUCH_TIME = 480  # minutes times cores
_SMALLEST_SIZE_LEVEL = -3


def plan_model(draft: PlanBuilder) -> None:
    """Choose `encoder`, `encoder_weights`, `decoder` and what goes with them."""
    data = draft.data
    scratch = ""
    if draft.given.get("encoder") in SCRATCH:
        scratch = "The encoder has no pretrained weights."
    elif draft.weights is None:
        scratch = draft.weights_said
    elif data.channels > _MANY_CHANNELS and "encoder_weights" not in draft.given:
        scratch = (
            f"Images have {data.channels} channels, and weights learned from three colors say "
            f"little about them."
        )
    if scratch:
        encoder = draft.choose("encoder", "plain", f"{scratch} It learns from nothing.")
        draft.choose("encoder_weights", None, scratch)
    else:
        said = "Light enough for a CPU, and pretrained features need few images: there are "
        encoder = draft.choose("encoder", "mobilenet_v2", f"{said}{data.training:,}.")
        draft.choose("encoder_weights", draft.weights, draft.weights_said)
    pretrained = is_pretrained(draft.settings)
    if encoder == "plain":
        _widths(draft)
    if draft.given.get("preset"):
        return
    thin = draft.thin and draft.mostly_thin
    if draft.size_level <= _SMALLEST_SIZE_LEVEL:
        draft.choose("decoder", "light", draft.size_level_reason)
    elif thin:
        said = f"{_named(draft)} {_is(draft)} {measured(draft.thin[0].slenderness)} times as long "
        draft.choose("decoder", "unet", f"{said}as wide: lines need convolutions at fine strides.")
    elif not pretrained:
        draft.choose(
            "decoder", "unet", "An encoder that learns from nothing gains from a full decoder."
        )
    else:
        said = "With a pretrained encoder it places what was found, at a tenth of a U-Net's weights"
        draft.choose("decoder", "light", f"{said}.")
    _decoder_widths(draft)
    widths = draft["encoder_widths"]
    # With fewer strides than four, there is no step between the first and the last.
    if draft["decoder"] == "unet" and not pretrained and (widths is None or len(widths) > 3):
        said = "Heads at coarser steps bring gradients to an encoder that learns from nothing."
        draft.choose("deep_supervision", _SUPERVISION, said)


def plan_norm(draft: PlanBuilder) -> None:
    """Choose `norm`, once the batch is known."""
    batch = draft["batch_size"]
    if batch < _SMALL_BATCH:
        said = f"The statistics of {batch} images are too noisy to divide by."
        draft.choose("norm", "group", said)
    else:
        draft.choose("norm", "batch", f"{batch} images are enough for their statistics.")


def is_pretrained(settings: Mapping[str, Any]) -> bool:
    """Whether the encoder of some settings starts from weights."""
    return settings.get("encoder") not in SCRATCH and settings.get("encoder_weights") is not None


def _widths(draft: PlanBuilder) -> None:
    much = draft.machine.accelerators or draft.minutes * draft.machine.cores >= _MUCH_TIME
    if much and draft.size_level >= 0:
        said = f"A full U-Net's first width halved; {draft.minutes:g} minutes on {draft.machine}"
        draft.choose("encoder_widths", _WIDE, f"{said} train it.")
    else:
        cores = f"{draft.machine.cores} core{'s' * (draft.machine.cores > 1)}"
        said = f"Narrow, for {draft.minutes:g} minutes on {cores}"
        draft.choose("encoder_widths", _NARROW, f"{said}.")


def _decoder_widths(draft: PlanBuilder) -> None:
    classes = len(draft.data.classes)
    if draft["encoder"] == "plain" and draft["decoder"] == "unet":
        widths = draft["encoder_widths"]
        said = "Those of the encoder in reverse, as in the U-Net."
        draft.choose("decoder_widths", tuple(widths[-2::-1]), said)
    elif draft["decoder"] in ("light", "unet") and classes > _MANY_CLASSES:
        said = f"{classes} classes are to be read from the last features, usually 16 channels."
        draft.choose("decoder_widths", (160, 128, 96, 64, 64), said)


def _named(draft: PlanBuilder) -> str:
    return " and ".join(one.name for one in draft.thin[:3])


def _is(draft: PlanBuilder) -> str:
    return "is" if len(draft.thin) == 1 else "are"
