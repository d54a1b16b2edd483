"""The verbs `train`, `train_regions` and `find_learning_rate`, whatever the task."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from maskwright.arguments import checked
from maskwright.config import RegionConfig, RunConfig, TrainConfig, read_config
from maskwright.config.starting import with_encoder_at_hand
from maskwright.config.typed import RegionSettings, TrainSettings
from maskwright.data.writers.arrays import write_arrays
from maskwright.errors import ConfigError
from maskwright.imageio import check_start, write_image
from maskwright.imageio.write import checked_image_path
from maskwright.tasks.registry import TASKS
from maskwright.tasks.semantic.custom_model import check_custom_settings, model_of_run
from maskwright.tasks.settings import train_options
from maskwright.types import OnMessage, show_alert

if TYPE_CHECKING:
    import keras
    from keras.callbacks import Callback

    from maskwright.data.writers.arrays import ArrayData
    from maskwright.training import LearningRateCurve, Run


@checked
def train(
    data: "str | Path | ArrayData",
    out: str | Path,
    *,
    plan: str | Path | None = None,
    model: "keras.Model | None" = None,
    resume: bool = False,
    force: bool = False,
    callbacks: "Sequence[Callback]" = (),
    on_message: OnMessage = show_alert,
    **settings: Unpack[TrainSettings],
) -> "Run":
    """Train a model on the images and masks in `data`; write a run into `out`.

    Args:
        data: What `open_dataset` takes, or images and masks in memory as `write_arrays` takes them:
            arrays `(images, masks)`, or a `tf.data.Dataset` of such pairs. They are written as
            files beside the run, into a folder of its name and `-data`, which other verbs take.
        model: A Keras model to train in place of a network of ours, from images `(b, h, w, c)` to
            scores `(b, h, w, classes)`, which scales pixels itself. A copy with its weights is
            trained; the model of the run gives logits.
        resume: Continue the run in `out` with its own settings; those given here may differ from
            them in `training.run.CHANGEABLE`, such as `epochs` and `minutes`.
        force: Train although the data has errors, as `check` tells them.
        on_message: Called with each message; without it, warnings are `MaskwrightWarning`.
        settings: Fields of `TrainConfig`, which override those of the plan; without `minutes` and
            `epochs`, ten minutes. `objects` trains a model of single objects. `loss` may also be
            an object, one of `maskwright.losses` or of Keras, which a resumed run needs again.
    """
    how = {"resume": resume, "force": force, "callbacks": callbacks, "on_message": on_message}
    custom, values = _custom_parts(model, settings, Path(out), resume)
    return _train(TrainConfig, data, out, plan, values, {**how, **custom})


def _custom_parts(
    model: "keras.Model | None", settings: Mapping[str, Any], out: Path, resume: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Model and loss of the user's, as `train_options` takes them, and the other settings."""
    from maskwright.losses import CUSTOM_LOSS

    values = dict(settings)
    given = values.get("loss")
    loss = None if given is None or isinstance(given, str | Mapping) else given
    if loss is not None:
        values["loss"] = CUSTOM_LOSS
    if resume:
        if model is not None:
            raise ConfigError("A resumed run goes on with its own network; leave `model` out.")
        return {"model": model_of_run(out), "loss": loss}, values
    if model is not None:
        check_custom_settings(values)
    return {"model": model, "loss": loss}, values


@checked
def train_on_cluster(
    data: str | Path,
    out: str | Path,
    *,
    workers: int = 2,
    cluster: str = "local",
    plan: str | Path | None = None,
    resume: bool = False,
    on_message: OnMessage = show_alert,
    **settings: Unpack[TrainSettings],
) -> "Run":
    """Train one run by several workers of a Ray cluster, which share every batch.

    A worker that is killed is replaced, and the run goes on from its checkpoint. Data and run lie
    where all nodes see them under the same path. All of `batch_size` is divided among the workers.

    Args:
        cluster: Address of a running cluster; `"local"` starts one on this machine.
        settings: As of `train`.

    Raises:
        ConfigError: If Ray is not installed, no cluster answers, or it has too few CPUs.
        TrainingError: If workers were killed again and again.
    """
    from maskwright.training import Run
    from maskwright.training.on_cluster import train_together

    # Refused, or chosen, here and not on every worker.
    config = read_config(plan, settings, TrainConfig)
    check_start(Path(out), {"plan.yaml": "run"}, resume)
    options: dict[str, Any] = {"plan": plan, "resume": resume, **settings}
    if not resume and config.encoder != (
        encoder := with_encoder_at_hand(config, on_message).encoder
    ):
        options["encoder"] = encoder
    begin = partial(_train_part, data, out, options)
    again = partial(_train_part, data, out, {"resume": True})
    train_together(begin, again, Path(out), workers, cluster, on_message)
    return Run(Path(out))


def _train_part(
    data: str | Path, out: str | Path, options: Mapping[str, Any], on_message: OnMessage
) -> None:
    """Train on a worker of a cluster."""
    train(data, out, **options, on_message=on_message)


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
    data: "str | Path | ArrayData",
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
    if how.get("model") is not None and config.task != "semantic":
        raise ConfigError("A model of your own is for masks of classes; leave `objects` out.")
    if not how["resume"] and how.get("model") is None:
        config = with_encoder_at_hand(config, how["on_message"])
    options = train_options(config, **how)
    if not isinstance(data, str | Path):
        check_start(Path(out), {"plan.yaml": "run"}, resume=how["resume"])
        data = write_arrays(data, Path(f"{out}-data"))
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

    plot = None if out is None else checked_image_path(out)
    config = with_encoder_at_hand(read_config(plan, settings, TrainConfig), on_message)
    options = TrainOptions(seed=config.seed, force=True, on_message=on_message)
    config, dataset = resolve_config(config, data, options)
    keras.utils.set_random_seed(config.seed)
    training = replace(dataset, samples=tuple(dataset.of("train")))
    setup = prepare_of(dataset)(training, config, options, synchronized=False)
    network = setup.network.build()
    if setup.initialize is not None:
        setup.initialize(network)
    curve = range_test(network, setup.task, setup.recipe, steps=steps, seconds=seconds)
    if plot is not None:
        from maskwright.display.figures import render

        write_image(plot, render(curve.plot()))
    return curve
