"""Which images a model has seen in training, and how its run divides a data set."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from maskwright.config import TrainConfig, read_config
from maskwright.data import DataSet
from maskwright.data.learned_images import LearnedImages
from maskwright.errors import ConfigError
from maskwright.evaluation import Caution
from maskwright.export.artifact import is_artifact, model_folder
from maskwright.export.ensemble import is_ensemble, read_members
from maskwright.model_card import CARD_FILE, LEARNED_FILE, SEGMENTER, SemanticCard


def require_out(run: str | Path, out: str | Path | None) -> None:
    """Raise `ConfigError` where results would go into an exported model, which they would spoil."""
    if out is None and is_artifact(Path(run)):
        raise ConfigError(
            f"{run} is an exported model, into which nothing is written; name a folder for the "
            f"results with -o."
        )


def division_of(run: Path) -> dict[str, Any]:
    """Arguments of `open_dataset` that divide data as for a run, or as usual without a plan."""
    plan = run / "plan.yaml"
    return read_config(plan if plan.exists() else None, {}, TrainConfig).division()


def undivided(division: dict[str, Any]) -> dict[str, Any]:
    """The same arguments, but for those that divide the data of a run into splits and folds."""
    return division | {"val_share": 0.0, "test_share": 0.0, "calibration_share": 0.0, "fold": None}


def without_learned(
    dataset: DataSet, split: str, *models: Path
) -> tuple[DataSet, tuple[Caution, ...]]:
    """A data set that knows which images of a split models have seen, and what to say of it.

    What a model, its members or its segmenter learned from, or was selected by, is told by the
    content of images, whatever their names, as they are decoded: `evaluate` leaves them out. The
    training split stays as it is, the validation split loses what was learned from.
    """
    unknown = [f for m in models for f in single_models(m) if not (f / LEARNED_FILE).is_file()]
    cautions = []
    if unknown:
        text = f"{unknown[0]} has no {LEARNED_FILE}: images that it learned from may be scored."
        cautions.append(Caution("no_record", text))
    return replace(dataset, known=learned_images(*models).known(split)), tuple(cautions)


def learned_images(*models: Path) -> LearnedImages:
    """Images that models, their members or their segmenters have seen, as far as it is recorded."""
    folders = (folder for model in models for folder in single_models(model))
    return LearnedImages.read(f for f in folders if (f / LEARNED_FILE).is_file())


def single_models(model: Path) -> Iterator[Path]:
    """Folders of the single models that a model is made of."""
    folder = model_folder(model)
    if is_ensemble(folder):
        yield from read_members(folder, SemanticCard.read(folder / CARD_FILE))
        return
    yield folder
    if (folder / SEGMENTER / CARD_FILE).is_file():
        yield from single_models(folder / SEGMENTER)
