"""`cross_validate`: a model for each fold, scores of images it never saw, all models as one."""

import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Never, Unpack

from maskwright.api.fold_scores import FOLDS_FILE, SCRATCH, Folds, score_folds
from maskwright.api.train import train
from maskwright.arguments import checked
from maskwright.config import TrainConfig, read_config
from maskwright.config.starting import with_encoder_at_hand
from maskwright.config.typed import TrainSettings
from maskwright.data import open_dataset
from maskwright.data.layers import require_one_class
from maskwright.errors import ConfigError, MaskwrightError
from maskwright.evaluation.reports.formatting import write_json
from maskwright.export.ensemble import write_ensemble
from maskwright.imageio import check_start, lock_folder
from maskwright.model_card import CARD_FILE, PostprocessingArguments
from maskwright.tasks.provenance import division_of
from maskwright.types import OnMessage, show_alert

_HOLDS = {FOLDS_FILE: "cross-validation", "plan.yaml": "run", CARD_FILE: "model"}


@checked
def cross_validate(
    data: str | Path,
    out: str | Path,
    *,
    folds: int | None = None,
    plan: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
    cluster: str | None = None,
    on_message: OnMessage = show_alert,
    **settings: Unpack[TrainSettings],
) -> Folds:
    """Train a model for each fold of the training and validation images, and join them to one.

    The test images stay aside. The others are divided by case and stratified, with the settings'
    `group_by`, `unite_duplicates` and `split_seed`. The model of a fold learns from all others and
    does not look at its own while it trains, so that neither weights nor the moment to stop are
    chosen by the images it is scored on; there are no validation curves for that. Threshold and
    cleaning for all are chosen on these predictions, where their gain is real.

    Args:
        out: Folder for the whole: `fold1` and so on, each a run, and an ensemble of them.
        folds: How many; five when left out.
        force: Train although the data has errors, as `check` tells them.
        resume: Go on: folds that are done are left as they are, one that was stopped is resumed.
        cluster: Address of a Ray cluster on which folds train at once, `"local"` for one on this
            machine; `None` trains one after the other.
        settings: Fields of `TrainConfig`, which override those of the plan; `minutes`, ten by
            default, is divided among the folds, `epochs` holds for each.
    """
    if os.environ.get("TF_CONFIG"):
        raise ConfigError(
            "Folds are trained one after the other by a single worker: unset TF_CONFIG, or train "
            "each fold by itself with fold=1/5, 2/5 and so on, and join the runs with `ensemble`."
        )
    how = {"resume": resume, "force": force, "on_message": on_message, "cluster": cluster}
    with lock_folder(Path(out)):
        return _train_and_score(data, Path(out), folds, plan, settings, how)


def _train_and_score(
    data: str | Path,
    out: Path,
    folds: int | None,
    plan: str | Path | None,
    settings: Mapping[str, Any],
    how: Mapping[str, Any],
) -> Folds:
    """Cross-validate with `resume`, `force` and `on_message` of `train` in `how`."""
    resume, on_message = how["resume"], how["on_message"]
    check_start(out, _HOLDS, resume)
    for left in out.glob(f"{SCRATCH}*"):  # by a process that was killed
        shutil.rmtree(left)
    count = 5 if folds is None else folds
    if resume:
        if plan is not None:
            settings = read_config(plan, settings, TrainConfig).model_dump(exclude_unset=True)
        count = json.loads((out / FOLDS_FILE).read_text(encoding="utf-8"))["folds"]
        if folds not in (None, count):
            raise ConfigError(f"{out} was begun with {count} folds; received {folds}.")
        plan = out / "plan.yaml"
    config = read_config(plan, settings, TrainConfig).with_budget()
    if not resume:  # once for all folds
        config = with_encoder_at_hand(config, on_message)
    if config.objects is not None:
        raise ConfigError(
            "Folds join models of classes, whose probabilities can be averaged; train single "
            "objects without folds, or each fold by itself with fold=1/5, 2/5 and so on."
        )
    if config.fold is not None:
        raise ConfigError("Expected settings without `fold`: cross-validation trains every fold.")
    # Refuses a data set with too few cases before anything is written.
    dataset = open_dataset(data, **{**config.division(), "fold": (1, count)})
    require_one_class(dataset, "a cross-validation")
    from maskwright.training import Run

    run, values = Run(out), config.effective()
    if resume:
        run.check_settings(values)
    run.write_settings(values)
    if not resume:
        write_json({"folds": count, "out_of_fold": None}, out / FOLDS_FILE)
    runs = [out / f"fold{number}" for number in range(1, count + 1)]
    logger = logging.getLogger("tensorflow")
    level = logger.level
    # Every fold traces steps of its own, which TensorFlow takes for tracing in a loop.
    logger.setLevel(logging.ERROR)
    try:
        _train_all(data, runs, config, how, settings if resume else {})
    except MaskwrightError:
        if not resume and not (runs[0] / "plan.yaml").exists():
            # Nothing half made stands in the way of the next try.
            (out / "plan.yaml").unlink()
            (out / FOLDS_FILE).unlink()
        raise
    finally:
        logger.setLevel(level)
    return score_folds(data, out, runs, config, on_message)


def is_cross_validation(out: str | Path) -> bool:
    """Whether a folder holds a cross-validation, finished or not."""
    return (Path(out) / FOLDS_FILE).is_file()


class EnsembleDecisions(PostprocessingArguments[Never], total=False):
    """Threshold and cleaning on the card of an ensemble, as `SemanticCard` describes them."""

    threshold: float | None


@checked
def ensemble(
    runs: Sequence[str | Path], out: str | Path, **decisions: Unpack[EnsembleDecisions]
) -> Path:
    """Join trained models to one that averages their probabilities; gives its folder, `out`.

    The runs, or ensembles, of the same classes and the same working size, stay where they are;
    `out` names them. Where all divide the data alike, `out` does too. Decisions that are left out
    must be the same for all.

    Raises:
        ModelError: If a run is missing or does not fit the others.
    """
    from maskwright.training import Run

    out, folders = Path(out), [Path(run) for run in runs]
    write_ensemble(out, folders, dict(decisions))
    divisions = [{**division_of(folder), "fold": None} for folder in folders]
    if all(division == divisions[0] for division in divisions):
        seed = divisions[0].pop("seed")
        Run(out).write_settings({**divisions[0], "split_seed": seed})
    return out


def _train_all(
    data: str | Path,
    runs: Sequence[Path],
    config: TrainConfig,
    how: Mapping[str, Any],
    changed: Mapping[str, Any],
) -> None:
    """Train what is not finished yet; `changed` are settings given when resuming."""
    import keras

    from maskwright.training import Run
    from maskwright.training.on_cluster import Part, run_parts

    reported: set[str] = set()
    on_message = how["on_message"]

    def once(text: str) -> None:
        if text not in reported:
            reported.add(text)
            on_message(text)

    values = {**config.effective(), "epochs": None, "minutes": None}
    # Folds that were begun have their part of the time; the others get the same.
    stated = [Run(run).read_settings().get("minutes") for run in runs if _is_begun(run)]
    begun = None if changed.get("minutes") else next(iter(stated), None)
    parts: dict[str, Callable[[int], Part]] = {}
    for number, run in enumerate(runs, start=1):
        name = f"Fold {number} of {len(runs)}"
        if Run(run).is_finished():
            on_message(f"{name} is done.")
            continue

        def fold(rounds: int, run: Path = run, number: int = number) -> Part:
            length: dict[str, Any] = {"epochs": config.epochs}
            if config.minutes is not None:
                length = {"minutes": begun or config.minutes / rounds}
            fresh = {**values, "fold": (number, len(runs)), **length}
            changes = {**changed, "epochs": None, "minutes": None, **length}
            return partial(_train_fold, data, run, fresh, changes, how["force"])

        parts[name] = fold
    if how["cluster"] is not None and parts:
        run_parts(parts, runs[0].parent, how["cluster"], on_message)
        return
    for name, make in parts.items():
        on_message(f"{name} …")
        make(len(runs))(once)
        keras.backend.clear_session()


def _train_fold(
    data: str | Path,
    run: Path,
    fresh: Mapping[str, Any],
    resumed: Mapping[str, Any],
    force: bool,
    on_message: OnMessage,
) -> None:
    """Train a fold with settings of a fresh run, or go on with those of a resumed one."""
    begun = _is_begun(run)
    settings = resumed if begun else fresh
    train(data, run, resume=begun, force=force, on_message=on_message, **settings)


def _is_begun(run: Path) -> bool:
    return (run / "plan.yaml").exists()
