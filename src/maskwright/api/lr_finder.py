"""Learning rate finder."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.api.from_config import describe_model, resolve_config
from maskwright.config import TrainConfig, read_config
from maskwright.imageio import write_image

if TYPE_CHECKING:
    from maskwright.training import LearningRateCurve


def find_learning_rate(
    data: str | Path,
    out: str | Path | None = None,
    *,
    plan: str | Path | None = None,
    steps: int = 100,
    seconds: float | None = None,
    on_message: Callable[[str], None] = lambda _: None,
    **settings: Any,
) -> "LearningRateCurve":
    """Find a learning rate by a range test on the training split; no weights are stored.

    Args:
        data: Data set, as accepted by `open_dataset`.
        out: PNG file for the plot; `None` for no plot.
        plan: YAML file of settings.
        steps: Number of steps from the lowest to the highest rate, at least 20.
        seconds: Time limit in seconds, which reduces `steps`; `None` for no limit.
        on_message: Called with a sentence for each skipped file.
        settings: Fields of `TrainConfig`; they override those of `plan`.

    Returns:
        Rates, losses and the suggested `learning_rate`; see `training.find_learning_rate`.

    Raises:
        MaskwrightError: If data or settings are invalid, or the loss falls at no rate.
    """
    import keras

    from maskwright.training import find_learning_rate as range_test
    from maskwright.training import prepare
    from maskwright.training.lr_finder import draw_curve

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
    curve = range_test(model, prepared.task, shared["recipe"], steps=steps, seconds=seconds)
    if out is not None:
        write_image(Path(out), draw_curve(curve))
    return curve
