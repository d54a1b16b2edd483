"""A task becomes a run: what every kind of training shares, from the empty folder to the model."""

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras.callbacks import Callback

from maskwright.errors import ConfigError, TrainingError
from maskwright.imageio import atomic_write, write_image
from maskwright.model_card import ModelCard
from maskwright.models import main_model
from maskwright.models.blueprint import Blueprint
from maskwright.training.callbacks import Curves, ProgressBar
from maskwright.training.diagram import diagram, summary
from maskwright.training.distribute import find_strategy, is_chief
from maskwright.training.loop import TrainingLoop
from maskwright.training.objective import Task
from maskwright.training.progress import progress_told
from maskwright.training.recipe import Recipe
from maskwright.training.run import Run

_STEPS_PER_EPOCH = 20  # at least, of a run measured in minutes, so that ten images do for an epoch


def start_run(out: str | Path, seed: int, resume: bool) -> tuple[Run, tf.distribute.Strategy]:
    """Folder of a run, made where it is to be, and the strategy of the workers.

    Raises:
        TrainingError: If the folder holds another run, or nothing to resume.
    """
    strategy = find_strategy()
    keras.utils.set_random_seed(seed)
    run = Run(Path(out))
    if is_chief(strategy):
        run.start(resume)
    return run, strategy


def run_training(
    run: Run,
    strategy: tf.distribute.Strategy,
    *,
    network: Blueprint,
    task: Task,
    recipe: Recipe,
    card: Callable[[keras.Model], ModelCard],
    facts: Mapping[str, Any],
    settings: Mapping[str, Any],
    epochs: int | None,
    minutes: float | None,
    start: Callable[[keras.Model], None] = lambda _: None,
    callbacks: Sequence[Callback] = (),
    columns: Sequence[str] = (),
    tensorboard: bool = False,
    checkpoint_seconds: float = 20.0,
    resume: bool = False,
) -> Run:
    """Build the model, train it, write what a run holds.

    Args:
        run: From `begin`.
        strategy: From `begin`.
        network: Built under the strategy.
        task: What it learns.
        recipe: How it learns.
        card: From the trained model to what is written beside it, with the checksum filled in.
        facts: On the data, for `environment.json`; its `data` must be the same when resuming.
        settings: What `plan.yaml` is to hold.
        epochs: Passes over the samples; or
        minutes: Time to train for.
        start: Called with the network before it learns.
        callbacks: Further callbacks of Keras; those of the chief alone write.
        columns: What the previews that callbacks draw show side by side.
        tensorboard: Write logs for TensorBoard into the run.
        checkpoint_seconds: Least time between checkpoints.
        resume: Go on with the run.
    """
    chief = is_chief(strategy)
    if resume and run.read_environment().get("data") != facts["data"]:
        raise TrainingError(
            f"The training data of {run.folder} has changed since the run was started; start a "
            "new run in another folder."
        )
    with strategy.scope():
        model = network.build()
        start(model)
    if chief:
        run.write_settings(settings)
        run.write_environment(facts)
        run.write_network(network.to_json())
        with atomic_write(run.folder / "model.txt") as beside:
            beside.write_text(summary(model), encoding="utf-8")
        write_image(run.folder / "model.png", diagram(model))
    work = TrainingLoop(
        model,
        task,
        recipe=recipe,
        epochs=epochs,
        seconds=None if minutes is None else minutes * 60,
        strategy=strategy,
        checkpoints=run.checkpoint_file.parent,
        checkpoint_seconds=checkpoint_seconds,
    )
    if resume:
        work.resume()
    if not chief:
        work.run(callbacks)
        return run
    titles = task.scoring.titles
    shown = [ProgressBar(work.share_done, titles), *callbacks]
    if tensorboard:
        shown.append(_tensorboard(run))
    # Last, so that the preview of an epoch is there when its row is.
    shown.append(Curves(run, work.state.history, titles))
    with progress_told(run, work.share_done, task.scoring, columns):
        state = work.run(shown)
        run.write_history(state.history)
        trained = main_model(model)
        run.write_model(trained, card(trained))
    return run


def passes(minutes: float | None, steps: int) -> int:
    """Passes of `steps` batches that make an epoch: one, or more where a run is timed."""
    return 1 if minutes is None else -(-_STEPS_PER_EPOCH // steps)


def _tensorboard(run: Run) -> Callback:
    if find_spec("tensorboard") is None:
        raise ConfigError(
            'TensorBoard is not installed; install it with: pip install "maskwright[track]"'
        )
    return keras.callbacks.TensorBoard(run.folder / "tensorboard", write_graph=False)
