"""Rules for the network: encoder, weights and decoder."""

from maskwright.architectures import SCRATCH
from maskwright.planning.plan_builder import PlanBuilder, number, plural

_MAX_PRETRAINED_CHANNELS = 4
_MANY_CLASSES = 24
_NARROW, _WIDE = (16, 32, 64, 96, 128), (32, 64, 128, 256, 512)
_DEEP_SUPERVISION = 0.3
_LARGE_BUDGET = 480  # minutes times cores
_LIGHT_SIZE_LEVEL = -3


def plan_encoder(draft: PlanBuilder) -> None:
    """Choose `encoder`, `encoder_weights` and `encoder_widths`."""
    data = draft.data
    scratch = ""
    if draft.given.get("encoder") in SCRATCH:
        scratch = "The encoder has no pretrained weights."
    elif draft.weights.source is None:
        scratch = draft.weights.reason
    elif data.channels > _MAX_PRETRAINED_CHANNELS and "encoder_weights" not in draft.given:
        scratch = (
            f"Images have {data.channels} channels; weights pretrained on RGB images transfer "
            f"poorly."
        )
    if scratch:
        draft.choose("encoder", "plain", f"{scratch} It is trained from scratch.")
        draft.choose("encoder_weights", None, scratch)
    else:
        reason = "Fast on CPUs; pretrained features suit few images: there are "
        draft.choose("encoder", "mobilenet_v2", f"{reason}{data.num_training:,}.")
        draft.choose("encoder_weights", draft.weights.source, draft.weights.reason)
    if draft["encoder"] == "plain":
        _encoder_widths(draft)


def _encoder_widths(draft: PlanBuilder) -> None:
    machine = draft.machine
    large = machine.accelerators or draft.minutes * machine.cores >= _LARGE_BUDGET
    budget = f"{draft.minutes:g} minutes on {plural(machine.cores, 'core')}"
    if large and draft.size_level.level >= 0:
        reason = f"Half the widths of the original U-Net, which {draft.minutes:g} minutes on "
        draft.choose("encoder_widths", _WIDE, f"{reason}{machine} can train.")
    else:
        draft.choose("encoder_widths", _NARROW, f"Narrow, for {budget}.")


def plan_decoder(draft: PlanBuilder) -> None:
    """Choose `decoder`, `decoder_widths` and `deep_supervision`."""
    if draft.given.get("preset"):
        return
    if draft.size_level.level <= _LIGHT_SIZE_LEVEL:
        draft.choose("decoder", "light", draft.size_level.reason)
    elif thin := draft.thin:
        names = " and ".join(each.name for each in thin[:3])
        reason = f"{names} {'is' if len(thin) == 1 else 'are'} {number(thin[0].slenderness)} times "
        reason += "as long as wide: thin structures need convolutions at fine strides."
        draft.choose("decoder", "unet", reason)
    elif not draft.pretrained:
        reason = "An encoder that is trained from scratch benefits from a full decoder."
        draft.choose("decoder", "unet", reason)
    else:
        reason = "Sufficient for a pretrained encoder, with a tenth of a U-Net decoder's parameters"
        draft.choose("decoder", "light", f"{reason}.")
    _decoder_widths(draft)
    widths = draft["encoder_widths"]
    # With three strides, the decoder has no level between the coarsest and the finest.
    has_levels = widths is None or len(widths) > 3
    if draft["decoder"] == "unet" and not draft.pretrained and has_levels:
        reason = "Auxiliary outputs at coarse levels help to train the encoder from scratch."
        draft.choose("deep_supervision", _DEEP_SUPERVISION, reason)


def _decoder_widths(draft: PlanBuilder) -> None:
    classes = len(draft.data.classes)
    if draft["encoder"] == "plain" and draft["decoder"] == "unet":
        widths = tuple(draft["encoder_widths"][-2::-1])
        draft.choose("decoder_widths", widths, "The encoder widths in reverse, as in U-Net.")
    elif draft["decoder"] in ("light", "unet") and classes > _MANY_CLASSES:
        reason = f"{classes} classes need more than the 16 final channels of the default."
        draft.choose("decoder_widths", (160, 128, 96, 64, 64), reason)


RULES = (plan_encoder, plan_decoder)
"""Rules of this module, in order."""
