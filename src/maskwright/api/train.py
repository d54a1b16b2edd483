"""The verbs `train`, `train_regions` and `find_learning_rate`, whatever the task."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from maskwright.arguments import checked
from maskwright.config import RegionConfig, RunConfig, TrainConfig, read_config
from maskwright.config.typed import RegionSettings, TrainSettings
from maskwright.imageio import check_start, write_image
from maskwright.imageio.write import checked_image_path
from maskwright.tasks.registry import TASKS
from maskwright.tasks.settings import train_options
from maskwright.types import OnMessage, show_alert

if TYPE_CHECKING:
    from keras.callbacks import Callback

    from maskwright.training import LearningRateCurve, Run


@checked
def train(
    data: str | Path,
    out: str | Path,
    *,
    plan: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
    callbacks: "Sequence[Callback]" = (),
    on_message: OnMessage = show_alert,
    **settings: Unpack[TrainSettings],
) -> "Run":
    """Train a model on the images and masks in `data`; write a run into `out`.

    Args:
        resume: Continue the run in `out` with its own settings; those given here may differ from
            them in `training.run.CHANGEABLE`, such as `epochs` and `minutes`.
        force: Train although the data has errors, as `check` tells them.
        on_message: Called with each message; without it, warnings are `MaskwrightWarning`.
        settings: Fields of `TrainConfig`, which override those of the plan; without `minutes` and
            `epochs`, ten minutes. `objects` trains a model of single objects.
    """
    how = {"resume": resume, "force": force, "callbacks": callbacks, "on_message": on_message}
    return _train(TrainConfig, data, out, plan, settings, how)


@checked
def train_regions(
    data: str | Path,
    out: str | Path,
    *,
    plan: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
    callbacks: "Sequence[Callback]" = (),
    on_message: OnMessage = show_alert,
    **settings: Unpack[RegionSettings],
) -> "Run":
    """Train a classifier of the regions in the masks of `data`, with arguments as `train` takes.

    Args:
        settings: Fields of `RegionConfig`, which override those of the plan; without `minutes` and
            `epochs`, five minutes.
    """
    how = {"resume": resume, "force": force, "callbacks": callbacks, "on_message": on_message}
    return _train(RegionConfig, data, out, plan, settings, how)


def _train(
    kind: type[RunConfig],
    data: str | Path,
    out: str | Path,
    plan: str | Path | None,
    settings: Mapping[str, Any],
    how: Mapping[str, Any],
) -> "Run":
    """Train with arguments of `train_options`."""
    if how["resume"]:
        begun = Path(out) / "plan.yaml"
        check_start(Path(out), {begun.name: "run"}, resume=True)
        if plan is not None:
            settings = read_config(plan, settings, kind).model_dump(exclude_unset=True)
        plan = begun
    config = read_config(plan, settings, kind).with_budget()
    options = train_options(config, **how)
    from maskwright.training import run_training

    return run_training(TASKS[config.task].training(config, data, options), out, options)


@checked
def find_learning_rate(
    data: str | Path,
    out: str | Path | None = None,
    *,
    plan: str | Path | None = None,
    steps: int = 100,
    seconds: float | None = None,
    on_message: OnMessage = show_alert,
    **settings: Unpack[TrainSettings],
) -> "LearningRateCurve":
    """Find a learning rate by a range test on the training split; no weights are stored.

    Args:
        out: PNG file for the plot; `None` for no plot.
        seconds: Time limit in seconds, which reduces `steps`; `None` for no limit.
    """
    import keras

    from maskwright.tasks.semantic.task import prepare_of, resolve_config
    from maskwright.training import TrainOptions
    from maskwright.training import find_learning_rate as range_test
    from maskwright.training.lr_finder import draw_curve

    plot = None if out is None else checked_image_path(out)
    config = read_config(plan, settings, TrainConfig)
    options = TrainOptions(seed=config.seed, force=True, on_message=on_message)
    config, dataset = resolve_config(config, data, options)
    keras.utils.set_random_seed(config.seed)
    training = replace(dataset, samples=tuple(dataset.of("train")))
    setup = prepare_of(dataset)(training, config, options, synchronized=False)
    network = setup.network.build()
    curve = range_test(network, setup.task, setup.recipe, steps=steps, seconds=seconds)
    if plot is not None:
        write_image(plot, draw_curve(curve))
    return curve
