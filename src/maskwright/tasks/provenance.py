"""Which images a model has seen in training, and how its run divides a data set."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from maskwright.config import TrainConfig, read_config
from maskwright.data import DataSet
from maskwright.data.learned_images import LearnedImages
from maskwright.data.parallel import in_threads
from maskwright.data.samples import counted
from maskwright.errors import ConfigError, DataError
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


def without_learned(
    dataset: DataSet, split: str, *models: Path
) -> tuple[DataSet, tuple[Caution, ...]]:
    """A data set without the images of a split that models have seen, and what to say of it.

    What a model, its members or its segmenter learned from, or was selected by, is told by the
    content of images, whatever their names. The training split stays as it is, the validation split
    loses what was learned from. `DataError` if nothing is left.
    """
    unknown = [f for m in models for f in _single_models(m) if not (f / LEARNED_FILE).is_file()]
    cautions = []
    if unknown:
        text = f"{unknown[0]} has no {LEARNED_FILE}: images that it learned from may be scored."
        cautions.append(Caution("no_record", text))
    seen = learned_images(*models).seen(split)
    if not seen:
        return dataset, tuple(cautions)
    samples = dataset.of(split)
    hashes = in_threads(dataset.content_hash, samples, "Comparing with training images")
    known = {sample.id for sample, found in zip(samples, hashes, strict=True) if found in seen}
    if len(known) == len(samples):
        raise DataError(
            f"The split {split!r} of {dataset.root} holds nothing but images that "
            f"{' or '.join(map(str, models))} learned from or was selected by, "
            f"{len(known)} of them; score another split, or other data."
        )
    if known:
        which = "the model" if len(models) == 1 else "one of the models"
        text = (
            f"Left out: {len(known)} of {counted(len(samples), 'image')} of the split, which "
            f"{which} learned from or was selected by, such as {min(known)}."
        )
        cautions.append(Caution("trained_on", text))
    fresh = (s for s in dataset.samples if s.split != split or s.id not in known)
    return replace(dataset, samples=tuple(fresh)), tuple(cautions)


def learned_images(*models: Path) -> LearnedImages:
    """Images that models, their members or their segmenters have seen, as far as it is recorded."""
    folders = (folder for model in models for folder in _single_models(model))
    return LearnedImages.read(f for f in folders if (f / LEARNED_FILE).is_file())


def _single_models(model: Path) -> Iterator[Path]:
    """Folders of the single models that a model is made of."""
    folder = model_folder(model)
    if is_ensemble(folder):
        yield from read_members(folder, SemanticCard.read(folder / CARD_FILE))
        return
    yield folder
    if (folder / SEGMENTER / CARD_FILE).is_file():
        yield from _single_models(folder / SEGMENTER)
