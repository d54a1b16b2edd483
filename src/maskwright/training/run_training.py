"""A task becomes a run, from the empty folder to the trained model; the same for every task."""

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import keras

from maskwright.data.learned_images import write_learned
from maskwright.errors import StoppedError
from maskwright.imageio import lock_folder, write_image, write_text
from maskwright.model_card import NETWORK_FILE
from maskwright.models import main_model
from maskwright.training.callbacks import Curves, Previews, ProgressBar, write_progress
from maskwright.training.diagram import diagram, summary
from maskwright.training.distribute import find_strategy, is_chief
from maskwright.training.loop import TrainingLoop
from maskwright.training.run import Run
from maskwright.training.setup import TrainingSetup, TrainOptions
from maskwright.training.trackers.tracking import check_tracker, tracked


def run_training(
    prepare: Callable[[bool], TrainingSetup], out: str | Path, options: TrainOptions
) -> Run:
    """Decode the data, build the model, train it, write the results.

    Nothing is written before all is checked; a run that is resumed and has nothing left to do is
    left as it is.

    Args:
        prepare: Decodes the data and describes model and task; called, once the folder is locked
            and seeds are set, with whether several workers synchronize their batch statistics.

    Raises:
        ConfigError: If the folder is in use or holds another run, or a setting cannot be used.
        StoppedError: If a signal stopped the training; the best model so far is written.
        TrainingError: If training cannot go on.
    """
    check_tracker(options.track)
    strategy = find_strategy()
    keras.utils.set_random_seed(options.seed)
    run, chief = Run(Path(out)), is_chief(strategy)
    with ExitStack() as stack:
        if chief:
            stack.enter_context(lock_folder(run.folder))
            run.check_start(options.resume)
        setup = prepare(strategy.num_replicas_in_sync > 1)
        if options.resume:
            run.check_settings(setup.settings)
            run.check_data(setup.data)
        with strategy.scope():
            model = setup.network.build()
            resumes = options.resume and run.checkpoint_file.exists()
            if setup.initialize is not None and not resumes:
                setup.initialize(model)
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
            if loop.over() and (run.is_finished() or _is_shorter(options, run)):
                options.on_message(
                    f"Nothing was done: {run.folder} was trained for {loop.state.epoch} epochs in "
                    f"{loop.state.seconds:.0f} s, which leaves nothing of its budget; to train on, "
                    f"resume it with more epochs or minutes, or after early stopping with a longer "
                    f"patience."
                )
                return run
        if chief:
            _train(run, setup, loop, options)
        else:
            loop.run(list(options.callbacks))
    return run


def _train(run: Run, setup: TrainingSetup, loop: TrainingLoop, options: TrainOptions) -> None:
    """Write what is known of a run, train, and write the model, also one that was stopped."""
    model, scoring = loop.model, setup.task.scoring
    run.start()
    run.write_environment(setup.data)
    if setup.dataset is not None and not options.resume:
        write_learned(run.folder, setup.dataset, setup.earlier)
    write_text(run.folder / NETWORK_FILE, setup.network.to_json())
    write_text(run.folder / "model.txt", summary(model))
    write_image(run.folder / "model.png", diagram(model))
    run.write_settings(setup.settings)  # last: with it the folder holds a run
    callbacks: list[keras.callbacks.Callback] = [
        ProgressBar(loop.share_done, scoring, options.on_message),
        *options.callbacks,
    ]
    if options.previews and setup.previews is not None:
        callbacks.append(Previews(run, setup.previews(options.previews)))
    # Last, so that the preview of an epoch is there when its row is.
    callbacks.append(Curves(run, loop.state.history, scoring.titles))

    def write_model(stopped: bool) -> None:
        trained = main_model(model)
        setup.complete(run.folder)
        run.write_model(trained, replace(setup.card(trained), stopped=stopped))

    history = loop.state.history
    with (
        tracked(options.track, run, setup.settings, history, options.on_message) as trackers,
        write_progress(run, loop.share_done, scoring, setup.preview_columns),
    ):
        try:
            state = loop.run([*callbacks, *trackers])
        except StoppedError:
            write_model(stopped=True)
            options.on_message(
                f"The model in {run.folder} is the best until now, marked as stopped in its card."
            )
            raise
        run.write_history(state.history)
        write_model(stopped=False)


def _is_shorter(options: TrainOptions, run: Run) -> bool:
    """Whether the budget is less than that a run was begun with."""
    begun = run.read_settings()
    budgets = ((getattr(options, name), begun.get(name)) for name in ("epochs", "minutes"))
    return any((now or math.inf) < (before or math.inf) for now, before in budgets)
