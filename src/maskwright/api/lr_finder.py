"""The verb that finds a learning rate."""

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from maskwright.config import TrainConfig, read_config
from maskwright.config.typed import TrainSettings
from maskwright.imageio import write_image
from maskwright.tasks.semantic.network import describe_model
from maskwright.tasks.semantic.task import resolve_config
from maskwright.types import OnMessage, ignore_message

if TYPE_CHECKING:
    from maskwright.training import RateCurve


def find_rate(
    data: str | Path,
    out: str | Path | None = None,
    *,
    plan: str | Path | None = None,
    steps: int = 100,
    seconds: float | None = None,
    on_message: OnMessage = ignore_message,
    **settings: Unpack[TrainSettings],
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

    from maskwright.tasks.semantic.training import decode
    from maskwright.training import find_rate as find
    from maskwright.training.options import Recipe, TrainOptions
    from maskwright.training.rate_finder import draw_rates

    config = read_config(plan, settings, TrainConfig)
    options = TrainOptions(seed=config.seed, on_message=on_message)
    config, dataset = resolve_config(config, data, options)
    keras.utils.set_random_seed(config.seed)
    decoded = decode(dataset, config, options, validate=False)
    model = describe_model(
        config,
        num_classes=dataset.labels.num_classes,
        channels=decoded.train.channels,
        pixel_range=decoded.train.value_range,
        seed=config.seed,
        synchronized=False,
    ).build()
    curve = find(model, decoded.task, Recipe(**config.recipe()), steps=steps, seconds=seconds)
    if out is not None:
        write_image(Path(out), draw_rates(curve))
    return curve
