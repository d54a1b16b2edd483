"""Audit of labels: every mask scored by a model that has not learned from it, the worst drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data import DataSet, Sample, open_dataset
from maskwright.data.layers import require_one_class
from maskwright.errors import DataError
from maskwright.evaluation import EvaluateOptions, Evaluation, Example, evaluate
from maskwright.evaluation.loop import pack, unpack
from maskwright.evaluation.result import class_cautions
from maskwright.export.engines import Threads
from maskwright.export.runtime import load_card
from maskwright.inference.predictor import Prediction, Predictor, check_flips
from maskwright.labels import Labels
from maskwright.model_card import SemanticCard
from maskwright.reliability.label_audit import SuspectPiece, label_score, worst_piece
from maskwright.reliability.observations import MOST_VALUES
from maskwright.tasks.provenance import division_of
from maskwright.tasks.semantic.evaluation.compare import merge_cautions
from maskwright.tasks.semantic.labeling.audit_drawing import draw_piece
from maskwright.tasks.semantic.labeling.unseen import UNSEEN, assign_unseen


@dataclass(frozen=True, eq=False)
class AuditedMask:
    """What a model says of the mask of an image that it has not learned from.

    Args:
        sample: With the split of the data set.
        score: How well mask and model agree, 0 to 1; see `label_score`.
        piece: Where to look; `None` where they agree everywhere.
        model: Name of the folder of the model.
        predicted: Most probable labels, packed.
    """

    sample: Sample
    score: float
    piece: SuspectPiece | None
    model: str
    predicted: bytes = field(repr=False)


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelAudit(Evaluation):
    """Masks of a data set in the order in which to look at them, those least agreed with first.

    `labels` are the classes of the data; `samples` are in the order of `masks`; `examples` show
    the first of them.
    """

    labels: Labels
    masks: tuple[AuditedMask, ...]


def audit_run(run: Path, data: str | Path, options: EvaluateOptions) -> LabelAudit:
    """Audit the masks of a data set by a run, an ensemble or, best, a cross-validation.

    Raises:
        DataError: If no image can be scored, or model and data do not match.
        ModelError: If there is no such model, or no record of what it has learned from.
        ConfigError: For flips that the model was not trained with.
    """
    load_card(run, SemanticCard)
    dataset = require_one_class(open_dataset(data, **division_of(run)), "an audit of labels")
    given = {sample.id: sample for sample in dataset.samples}
    assignments, cautions = assign_unseen(dataset, run)
    parts = []
    for number, (model, source) in enumerate((a.model, a.source) for a in assignments):
        if len(assignments) > 1:
            options.on_message(f"Model {number + 1} of {len(assignments)}: {model.name} …")
        predictor = Predictor.load(model, Threads(allow_code=options.allow_code))
        predictor = predictor.adjusted(pixel_range=options.pixel_range)
        check_flips(predictor.card, options.flips)
        scorer = _AuditScorer(source, predictor.card, options, model.resolve().name)
        parts.append(evaluate(partial(_predict, predictor, options), scorer))
    masks = [mask for part in parts for mask in part.masks]
    masks = [replace(mask, sample=given[mask.sample.id]) for mask in masks]
    masks.sort(key=lambda mask: mask.score)
    names = [assignment.model.name for assignment in assignments]
    # How images group into cases concerns intervals, of which there are none here.
    kept = [[w for w in part.warnings if w.code not in ("copies", "videos")] for part in parts]
    return replace(
        parts[0],
        masks=tuple(masks),
        samples=tuple(mask.sample for mask in masks),
        skipped=tuple(skip for part in parts for skip in part.skipped),
        warnings=(*cautions, *merge_cautions(names, kept)),
        examples=tuple(_example(dataset, *item) for item in _worst(masks, options.examples)),
    )


class _AuditScorer:
    """A `Scorer` whose score of a mask is how well the model agrees with it."""

    def __init__(self, source: DataSet, card: Any, options: EvaluateOptions, model: str) -> None:
        self.source, self.card = source, card
        self.options = replace(options, split=UNSEEN)
        self.workers = None if card.size else 1
        self._model, self._masks = model, list[AuditedMask]()
        self._warnings = class_cautions(card.labels, source.labels)

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        return self.source.read(sample)

    def update(
        self, sample: Sample, image: np.ndarray, truth: np.ndarray, prediction: Prediction
    ) -> None:
        values = prediction.probabilities
        score = float("nan") if values is None else label_score(values, truth, self.card.background)
        if values is None or np.isnan(score):
            raise DataError(f"{sample.image}: its mask ignores every pixel.")
        predicted = pack(values.argmax(axis=-1).astype(np.uint8))
        piece = worst_piece(values, truth)
        self._masks.append(AuditedMask(sample, score, piece, self._model, predicted))

    def result(self, base: Evaluation) -> LabelAudit:
        fields = {**vars(base), "warnings": tuple(self._warnings)}
        return LabelAudit(**fields, labels=self.source.labels, masks=tuple(self._masks))


def _predict(predictor: Predictor, options: EvaluateOptions, image: np.ndarray) -> Prediction:
    values = image.shape[0] * image.shape[1] * predictor.card.labels.num_classes
    if values > MOST_VALUES:
        raise DataError(
            f"An image has {values:,} probabilities, more than the {MOST_VALUES:,} that are "
            f"audited at once; cut it into parts."
        )
    return predictor(image, flips=options.flips, probabilities=True)


def _worst(
    masks: Sequence[AuditedMask], number: int
) -> list[tuple[int, AuditedMask, SuspectPiece]]:
    """The first masks with a place to look at, with their ranks."""
    ranked = enumerate(masks, start=1)
    pieces = [(rank, mask, mask.piece) for rank, mask in ranked if mask.piece is not None]
    return pieces[:number]


def _example(dataset: DataSet, rank: int, mask: AuditedMask, piece: SuspectPiece) -> Example:
    image, given = dataset.read(mask.sample)
    share = piece.area_px / given.size
    names = dataset.labels.names
    text = (
        f"score {mask.score:.3f} · {names[piece.given]} in the mask, {names[piece.predicted]} by "
        f"the model · {piece.area_px:,} px, {share:.1%} of the image"
    )
    panels = draw_piece(image, given, unpack(mask.predicted), piece, dataset.labels)
    return Example("", f"{rank}. {mask.sample.id}", text, panels)
