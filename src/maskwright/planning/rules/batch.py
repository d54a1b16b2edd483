"""Rules for batches: batch size, memory and normalization."""

from maskwright.planning.plan_builder import BATCH_SIZES, SIDES, PlanBuilder, by, percent, plural

# Bytes per pixel of a batch. `light`: measured with MobileNetV2 at batch sizes 8 and 16, above the
# memory of TensorFlow itself, with a margin. The others are upper estimates.
_BYTES_PER_PIXEL = {"light": 2500, "unet": 6000}
_MAX_BYTES_PER_PIXEL = 9000
_MEMORY_SHARE = 0.6
_DECODED_SHARE = 0.3
_SMALL_BATCH = 8


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
        draft.choose(
            "norm", "group", f"Batch statistics of {plural(batch, 'image')} are too noisy."
        )
    else:
        draft.choose("norm", "batch", f"{batch} images suffice for batch statistics.")


RULES = (plan_batch_size, plan_memory_limit, plan_norm)
"""Rules of this module, in order."""
