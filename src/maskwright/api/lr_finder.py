"""The verb that finds a learning rate."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.api.from_config import describe_model, resolve_config
from maskwright.config import TrainConfig, read_config
from maskwright.imageio import write_image

if TYPE_CHECKING:
    from maskwright.training import RateCurve


def find_rate(
    data: str | Path,
    out: str | Path | None = None,
    *,
    plan: str | Path | None = None,
    steps: int = 100,
    seconds: float | None = None,
    on_message: Callable[[str], None] = lambda _: None,
    **settings: Any,
) -> "RateCurve":
    """Try all learning rates in one short run on the `train` split; nothing is kept of it.

    Args:
        data: What `open_dataset` takes.
        out: PNG file for the curve; none is drawn when left out.
        plan: File of settings.
        steps: As `training.find_rate` takes them.
        seconds: As `training.find_rate` takes them.
        on_message: Called with a sentence for every file that is left out.
        settings: Fields of `TrainConfig`, before those of the plan.

    Returns:
        Rates, losses, and the rate to set as `learning_rate`, by the rule of `training.find_rate`.

    Raises:
        MaskwrightError: One sentence on what is wrong and what to do.
    """
    import keras

    from maskwright.training import find_rate as find
    from maskwright.training import prepare
    from maskwright.training.rate_finder import draw_rates

    config = read_config(plan, settings, TrainConfig)
    config, dataset, shared = resolve_config(config, data, on_message)
    keras.utils.set_random_seed(config.seed)
    prepared = prepare(dataset, **shared, validate=False, on_message=on_message)
    model = describe_model(
        config,
        num_classes=dataset.labels.num_classes,
        channels=prepared.samples.channels,
        pixel_range=prepared.samples.value_range,
        seed=config.seed,
        synchronized=False,
    ).build()
    curve = find(model, prepared.task, shared["recipe"], steps=steps, seconds=seconds)
    if out is not None:
        write_image(Path(out), draw_rates(curve))
    return curve
