"""Rules for the network and its batches: encoder, weights, decoder, batch size, normalization."""

from maskwright.architectures import SCRATCH
from maskwright.planning.plan_builder import (
    BATCH_SIZES,
    SIDES,
    PlanBuilder,
    by,
    number,
    percent,
    plural,
)

_MAX_PRETRAINED_CHANNELS = 4
_MANY_CLASSES = 24
_NARROW, _WIDE = (16, 32, 64, 96, 128), (32, 64, 128, 256, 512)
_DEEP_SUPERVISION = 0.3
_LARGE_BUDGET = 480  # minutes times cores
_LIGHT_SIZE_LEVEL = -3

# Bytes per pixel of a batch. `light`: measured with MobileNetV2 at batch sizes 8 and 16, above the
# memory of TensorFlow itself, with a margin. The others are upper estimates.
_BYTES_PER_PIXEL = {"light": 2500, "unet": 6000}
_MAX_BYTES_PER_PIXEL = 9000
_MEMORY_SHARE = 0.6
_DECODED_SHARE = 0.3
_SMALL_BATCH = 8


def plan_encoder(draft: PlanBuilder) -> None:
    """Choose `encoder`, `encoder_weights` and `encoder_widths`, unless `weights` state them."""
    if draft.given.get("weights"):
        return
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
        draft.choose("encoder", draft.weights.encoder, f"{reason}{data.num_training:,}.")
        draft.choose("encoder_weights", draft.weights.source, draft.weights.reason)
    if draft["encoder"] != "plain":
        return
    machine, minutes = draft.machine, f"{draft.minutes:g} minutes on"
    large = machine.accelerators or draft.minutes * machine.cores >= _LARGE_BUDGET
    if large and draft.size_level.level >= 0:
        reason = f"Half the widths of the original U-Net, which {minutes} {machine} can train."
        draft.choose("encoder_widths", _WIDE, reason)
    else:
        reason = f"Narrow, for {minutes} {plural(machine.cores, 'core')}."
        draft.choose("encoder_widths", _NARROW, reason)


def plan_decoder(draft: PlanBuilder) -> None:
    """Choose `decoder`, `decoder_widths` and `deep_supervision`."""
    if draft.given.get("preset") or draft.given.get("weights"):
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
    widths, classes = draft["encoder_widths"], len(draft.data.classes)
    if draft["encoder"] == "plain" and draft["decoder"] == "unet":
        reason = "The encoder widths in reverse, as in U-Net."
        draft.choose("decoder_widths", tuple(widths[-2::-1]), reason)
    elif draft["decoder"] in ("light", "unet") and classes > _MANY_CLASSES:
        reason = f"{classes} classes need more than the 16 final channels of the default."
        draft.choose("decoder_widths", (160, 128, 96, 64, 64), reason)
    # With three strides, the decoder has no level between the coarsest and the finest.
    has_levels = widths is None or len(widths) > 3
    if draft["decoder"] == "unet" and not draft.pretrained and has_levels:
        reason = "Auxiliary outputs at coarse levels help to train the encoder from scratch."
        draft.choose("deep_supervision", _DEEP_SUPERVISION, reason)


def plan_batch_size(draft: PlanBuilder) -> None:
    """Choose `batch_size` by budget, number of images and memory."""
    shown = draft["crop"] or draft["size"]
    pixels = shown[0] * shown[1]
    largest = BATCH_SIZES[draft.size_level.level]
    reason = f"Default at {by(shown)}"
    if draft.data.num_training < BATCH_SIZES[0]:
        largest = min(largest, _SMALL_BATCH)
        reason = f"Small, for {plural(draft.data.num_training, 'training image')}"
    elif largest < BATCH_SIZES[0]:
        reason = draft.size_level.reason.removesuffix(".")
    batch = largest
    max_pixels = 1.25 * largest * SIDES[max(draft.size_level.level, -1)] ** 2
    while batch > 2 and batch * pixels > max_pixels:
        batch //= 2
        reason = f"Small, because each image has {pixels:,} pixels"
    bytes_per_pixel = _BYTES_PER_PIXEL.get(draft["decoder"], _MAX_BYTES_PER_PIXEL)
    memory = _MEMORY_SHARE * draft.machine.memory_mb * 1e6
    while batch > 1 and batch * pixels > memory / bytes_per_pixel:
        batch //= 2
        reason = f"Small, to fit into {draft.machine.memory_mb / 1000:.1f} GB of free memory"
    if draft.timing is not None and draft.timing.memory_mb:
        reason += f"; measured peak memory: {draft.timing.memory_mb / 1000:.1f} GB"
    draft.choose("batch_size", batch, f"{reason}.")


def plan_memory_limit(draft: PlanBuilder) -> None:
    """Choose `memory_limit_mb` if the decoded training images exceed the free memory."""
    data = draft.data
    height, width = draft["size"] or data.median_size
    bytes_per_pixel = {"uint8": 1, "uint16": 2}.get(data.dtype, 4) * data.channels + 1
    decoded_mb = float(height * width * bytes_per_pixel * data.num_training / 1e6)
    limit = _DECODED_SHARE * draft.machine.memory_mb
    if decoded_mb > limit:
        reason = f"{data.num_training:,} decoded images take {decoded_mb / 1000:,.1f} GB, more "
        reason += f"than {percent(_DECODED_SHARE)} of the free memory."
        draft.choose("memory_limit_mb", max(int(limit), 64), reason)


def plan_norm(draft: PlanBuilder) -> None:
    """Choose `norm` by the batch size."""
    batch = draft["batch_size"]
    if batch < _SMALL_BATCH:
        reason = f"Batch statistics of {plural(batch, 'image')} are too noisy."
        draft.choose("norm", "group", reason)
    else:
        draft.choose("norm", "batch", f"{batch} images suffice for batch statistics.")
