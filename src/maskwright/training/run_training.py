"""A task becomes a run, from the empty folder to the trained model; the same for every task."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import keras

from maskwright.errors import ConfigError, TrainingError
from maskwright.imageio import write_image, write_text
from maskwright.model_card import NETWORK_FILE
from maskwright.models import main_model
from maskwright.training.callbacks import Curves, Previews, ProgressBar, write_progress
from maskwright.training.diagram import diagram, summary
from maskwright.training.distribute import find_strategy, is_chief
from maskwright.training.loop import TrainingLoop
from maskwright.training.run import Run
from maskwright.training.setup import TrainingSetup, TrainOptions


def run_training(
    prepare: Callable[[bool], TrainingSetup], out: str | Path, options: TrainOptions
) -> Run:
    """Make the folder of a run, decode the data, build the model, train it, write the results.

    Args:
        prepare: Decodes the data and describes model and task; called, once the folder is there
            and seeds are set, with whether several workers synchronize their batch statistics.
    """
    strategy = find_strategy()
    keras.utils.set_random_seed(options.seed)
    run, chief = Run(Path(out)), is_chief(strategy)
    if chief:
        run.start(options.resume)
    setup = prepare(strategy.num_replicas_in_sync > 1)
    if options.resume and run.read_environment().get("data") != setup.data["data"]:
        raise TrainingError(
            f"The training data of {run.folder} has changed since the run was started; start a "
            "new run in another folder."
        )
    callbacks = list(options.callbacks)
    if chief and options.previews and setup.previews is not None:
        callbacks.append(Previews(run, setup.previews(options.previews)))
    with strategy.scope():
        model = setup.network.build()
        if setup.initialize is not None:
            setup.initialize(model)
    if chief:
        run.write_settings(setup.settings)
        run.write_environment(setup.data)
        write_text(run.folder / NETWORK_FILE, setup.network.to_json())
        write_text(run.folder / "model.txt", summary(model))
        write_image(run.folder / "model.png", diagram(model))
    loop = TrainingLoop(
        model,
        setup.task,
        recipe=setup.recipe,
        epochs=options.epochs,
        seconds=None if options.minutes is None else options.minutes * 60,
        strategy=strategy,
        checkpoints=run.checkpoint_file.parent,
        checkpoint_seconds=options.checkpoint_seconds,
    )
    if options.resume:
        loop.resume()
    if not chief:
        loop.run(callbacks)
        return run
    scoring = setup.task.scoring
    callbacks.insert(0, ProgressBar(loop.share_done, scoring.titles))
    if options.tensorboard:
        if find_spec("tensorboard") is None:
            raise ConfigError(
                'TensorBoard is not installed; install it with: pip install "maskwright[track]"'
            )
        folder = run.folder / "tensorboard"
        callbacks.append(keras.callbacks.TensorBoard(folder, write_graph=False))
    # Last, so that the preview of an epoch is there when its row is.
    callbacks.append(Curves(run, loop.state.history, scoring.titles))
    with write_progress(run, loop.share_done, scoring, setup.preview_columns):
        state = loop.run(callbacks)
        run.write_history(state.history)
        trained = main_model(model)
        run.write_model(trained, setup.card(trained))
    return run
