"""Learning rate finder."""

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from maskwright.config import TrainConfig, read_config
from maskwright.config.typed import TrainSettings
from maskwright.imageio import write_image
from maskwright.tasks.semantic.network import describe_model
from maskwright.tasks.semantic.task import resolve_config
from maskwright.types import OnMessage, ignore_message

if TYPE_CHECKING:
    from maskwright.training import LearningRateCurve


def find_learning_rate(
    data: str | Path,
    out: str | Path | None = None,
    *,
    plan: str | Path | None = None,
    steps: int = 100,
    seconds: float | None = None,
    on_message: OnMessage = ignore_message,
    **settings: Unpack[TrainSettings],
) -> "LearningRateCurve":
    """Find a learning rate by a range test on the training split; no weights are stored.

    Args:
        out: PNG file for the plot; `None` for no plot.
        seconds: Time limit in seconds, which reduces `steps`; `None` for no limit.
    """
    import keras

    from maskwright.tasks.semantic.training import decode
    from maskwright.training import Recipe, TrainOptions
    from maskwright.training import find_learning_rate as range_test
    from maskwright.training.lr_finder import draw_curve

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
    ).build()
    curve = range_test(model, decoded.task, Recipe(**config.recipe()), steps=steps, seconds=seconds)
    if out is not None:
        write_image(Path(out), draw_curve(curve))
    return curve
