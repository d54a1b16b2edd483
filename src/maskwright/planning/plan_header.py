"""Sentences at the top of a plan, on the data and the machine."""

from maskwright.planning.plan_builder import PlanBuilder, by, percent, plural

_MAX_CLASSES = 12
_MAX_MISSING_CLASSES = 5
_MIN_IGNORED_SHARE = 0.005
_FEW_VALIDATION_IMAGES = 5


def plan_header(draft: PlanBuilder) -> tuple[str, ...]:
    """Sentences on the data, the machine, and problems that settings cannot solve."""
    data = draft.data
    splits = ", ".join(f"{count:,} {split}" for split, count in data.images.items())
    images, cases = sum(data.images.values()), sum(data.cases.values())
    height, width = data.median_size
    channels = f"{plural(data.channels, 'channel')}, {data.dtype}"
    if data.channels == 3:
        kind = "gray" if data.color_share == 0 else "color"
        if 0 < data.color_share < 0.95:
            kind = f"{percent(data.color_share)} of the images in color"
        channels += f", {kind}"
    epochs = draft.given.get("epochs")
    budget = f"{epochs:,} epochs" if epochs else f"{draft.minutes:g} minutes"
    sentences = [
        f"A plan for {data.source}, {budget} on {draft.machine}.",
        f"{plural(images, 'image')} in {plural(cases, 'case')}: {splits}. "
        f"{plural(data.images_read, 'training image')} were measured.",
        f"Median size {by((round(height), round(width)))}, {channels}.",
        f"Classes, with share of pixels and number of images: {_classes(draft)}.",
    ]
    if data.spacing_mm:
        sentences.append(f"Pixel size: {data.spacing_mm:g} mm.")
    sentences += [*_timing(draft), *_warnings(draft)]
    sentences.append(
        "Use with: maskwright train DATA -o RUN --plan THIS_FILE; --set changes a value."
    )
    return tuple(sentences)


def _classes(draft: PlanBuilder) -> str:
    present = [each for each in draft.data.classes if each.images]
    listed = sorted(present, key=lambda each: -each.share)[:_MAX_CLASSES]
    text = ", ".join(f"{each.name} {percent(each.share)} ({each.images:,})" for each in listed)
    more = len(present) - len(listed)
    return f"{text} and {more} more" if more else text


def _timing(draft: PlanBuilder) -> list[str]:
    timing = draft.timing
    if timing is None or not timing.parameters or timing.estimated:
        return []
    network = f"with {timing.parameters:,} parameters"
    if timing.busy_s:
        return [
            f"Warning: other processes used the CPU. A training step {network} took "
            f"{timing.busy_s:.2g} s; the plan assumes {timing.step_s:.2g} s, from its CPU time."
        ]
    return [f"A training step {network} took {timing.step_s:.2g} s."]


def _warnings(draft: PlanBuilder) -> list[str]:
    """Problems of the data that settings cannot solve."""
    data = draft.data
    warnings = []
    missing = [each.name for each in data.classes if not each.images]
    if missing:
        names = ", ".join(missing[:_MAX_MISSING_CLASSES])
        names += ", …" * (len(missing) > _MAX_MISSING_CLASSES)
        images = "training" if data.images_read == data.num_training else "measured"
        warnings.append(
            f"Warning: {len(missing)} of {len(data.classes)} classes ({names}) do not occur in the "
            f"{images} images."
        )
    if data.instances:
        warnings.append("The masks distinguish objects; touching objects of a class are merged.")
    if data.skipped:
        warnings.append(f"Warning: {plural(data.skipped, 'training image')} could not be read.")
    if data.ignored_share >= _MIN_IGNORED_SHARE:
        warnings.append(f"{percent(data.ignored_share)} of the pixels are ignored.")
    if data.dtype != "uint8" and data.high and data.largest > 4 * max(data.high):
        warnings.append(
            f"Warning: the largest value is {data.largest:,.0f}, but 99.5% lie below "
            f"{max(data.high):,.0f}; images are scaled by the largest value."
        )
    validation = data.images.get("val", 0)
    if validation < _FEW_VALIDATION_IMAGES:
        warnings.append(
            f"Warning: {plural(validation, 'validation image')}, too few for reliable scores."
        )
    return warnings
