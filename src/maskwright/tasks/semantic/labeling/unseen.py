"""Which model of several scores which image: one that has not learned from it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from maskwright.data import DataSet, Sample
from maskwright.data.parallel import in_threads
from maskwright.data.samples import counted
from maskwright.errors import DataError, ModelError
from maskwright.evaluation import Caution
from maskwright.evaluation.reports.parts import upper_first
from maskwright.model_card import LEARNED_FILE
from maskwright.tasks.provenance import division_of, learned_images, single_models

UNSEEN = "unseen"
"""Split of the images that a model has not learned from, whatever their split was."""


@dataclass(frozen=True, eq=False)
class Assignment:
    """A model, and the data set in which its images to score have the split `UNSEEN`."""

    model: Path
    source: DataSet


def assign_unseen(dataset: DataSet, run: Path) -> tuple[list[Assignment], list[Caution]]:
    """Give every image to the first of the models of a run that has not learned from it.

    Of a cross-validation, that is the model of its fold. Images are known by their content,
    whatever their names. Those that every model has learned from are given to none, which a caution
    says; images that weights were selected by are not learned from.

    Raises:
        DataError: If every model has learned from every image.
        ModelError: If a model has no record of what it has learned from.
    """
    models = list(single_models(run))
    if unknown := [model for model in models if not (model / LEARNED_FILE).is_file()]:
        raise ModelError(
            f"{unknown[0]} has no {LEARNED_FILE}, which tells what the model has learned from: "
            f"audit with a run that has one."
        )
    learned = [learned_images(model) for model in models]
    hashes = list(in_threads(dataset.content_hash, dataset.samples, "Comparing images"))
    places = [
        next((i for i, images in enumerate(learned) if content not in images.train), None)
        for content in hashes
    ]
    seen = [s for s, place in zip(dataset.samples, places, strict=True) if place is None]
    total = counted(len(dataset.samples), "image")
    who = "the model" if len(models) == 1 else "every model"
    advice = "train with --folds 5, and audit with the cross-validation"
    if division_of(models[0])["fold"] is not None and len(models) > 1:
        advice = "copies of an image lie in several folds; train with --set unite_duplicates=true"
    if len(seen) == len(dataset.samples):
        raise DataError(
            f"{upper_first(who)} has learned from every image of {dataset.root}, and agrees with "
            f"the faults of their masks: {advice}."
        )
    assignments = [
        Assignment(
            model,
            replace(
                dataset,
                samples=tuple(_divided(dataset.samples, places, number)),
                known=images.known("val"),
            ),
        )
        for number, (model, images) in enumerate(zip(models, learned, strict=True))
        if number in places
    ]
    cautions = []
    if seen:
        text = (
            f"Not audited: {len(seen):,} of {total}, which {who} has learned from, such as "
            f"{min(sample.id for sample in seen)}. To audit all: {advice}."
        )
        cautions.append(Caution("learned_from", text))
    return assignments, cautions


def _divided(
    samples: Sequence[Sample], places: Sequence[int | None], number: int
) -> Iterator[Sample]:
    for sample, place in zip(samples, places, strict=True):
        yield replace(sample, split=UNSEEN if place == number else "other")
