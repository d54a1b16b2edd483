"""Audit of labels: every mask scored by a model that has not learned from it, the worst drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data import DataSet, Sample, open_dataset
from maskwright.data.layers import layer_labels, read_layers, require_one_class
from maskwright.errors import DataError
from maskwright.evaluation import EvaluateOptions, Evaluation, Example, evaluate
from maskwright.evaluation.loop import pack, unpack
from maskwright.evaluation.result import class_cautions
from maskwright.export.engines import Threads
from maskwright.export.runtime import load_card
from maskwright.inference.prediction import Prediction
from maskwright.inference.predictor import Predictor, check_flips
from maskwright.labels import Labels
from maskwright.model_card import SemanticCard
from maskwright.reliability.label_audit import (
    SuspectPiece,
    audit_layers,
    label_score,
    worst_piece,
)
from maskwright.reliability.observations import MOST_VALUES
from maskwright.tasks.paired_runs import merge_cautions
from maskwright.tasks.provenance import division_of
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

    `source` is what the data set was opened by; `labels` are the classes of the data, or the
    layers; `samples` are in the order of `masks`; `examples` show the first of them.
    """

    source: str
    labels: Labels
    masks: tuple[AuditedMask, ...]

    def label_name(self, label: int) -> str:
        """Name of a label of a piece; of a layer without the class, `no tumor`."""
        names = self.labels.names
        return names[label] if label < len(names) else f"no {names[label - len(names)]}"


def audit_run(
    run: Path,
    data: str | Path,
    options: EvaluateOptions,
    card_type: type[SemanticCard] = SemanticCard,
) -> LabelAudit:
    """Audit the masks of a data set by a run, an ensemble or, best, a cross-validation.

    Of classes that overlap, the score of an image is that of its worst layer.

    Raises:
        DataError: If no image can be scored, or model and data do not match.
        ModelError: If there is no such model, or no record of what it has learned from.
        ConfigError: For flips that the model was not trained with.
    """
    card = load_card(run, card_type)
    dataset = open_dataset(data, **division_of(run))
    if not card.overlapping:
        require_one_class(dataset, "this model")
    given = {sample.id: sample for sample in dataset.samples}
    assignments, cautions = assign_unseen(dataset, run)
    parts = []
    for number, (model, source) in enumerate((a.model, a.source) for a in assignments):
        if len(assignments) > 1:
            options.on_message(f"Model {number + 1} of {len(assignments)}: {model.name} …")
        predictor = Predictor.load(model, Threads(allow_code=options.allow_code), card_type)
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
        examples=tuple(
            _example(dataset, parts[0], *item) for item in _worst(masks, options.examples)
        ),
    )


class _AuditScorer:
    """A `Scorer` whose score of a mask is how well the model agrees with it."""

    def __init__(self, source: DataSet, card: Any, options: EvaluateOptions, model: str) -> None:
        self.source, self.card = source, card
        self.options = replace(options, split=UNSEEN)
        self.workers = None if card.size else 1
        self._model, self._masks = model, list[AuditedMask]()
        self._labels = layer_labels(source.labels) if card.overlapping else source.labels
        self._warnings = class_cautions(card.labels, self._labels)

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        return _read(self.source, self.card.overlapping, sample)

    def update(
        self, sample: Sample, image: np.ndarray, truth: np.ndarray, prediction: Prediction
    ) -> None:
        values = np.asarray(prediction.probabilities)
        if self.card.overlapping:
            score, piece = audit_layers(values, truth)
            predicted = values > 0.5
        else:
            score = label_score(values, truth, self.card.background)
            piece = None if np.isnan(score) else worst_piece(values, truth)
            predicted = values.argmax(axis=-1)
        if np.isnan(score):
            raise DataError(f"{sample.image}: its mask ignores every pixel.")
        packed = pack(predicted.astype(np.uint8))
        self._masks.append(AuditedMask(sample, score, piece, self._model, packed))

    def result(self, base: Evaluation) -> LabelAudit:
        fields = {**vars(base), "warnings": tuple(self._warnings)}
        masks = tuple(self._masks)
        return LabelAudit(**fields, source=self.source.origin, labels=self._labels, masks=masks)


def _read(source: DataSet, overlapping: bool, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    return read_layers(source, sample) if overlapping else source.read(sample)


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


def _example(
    dataset: DataSet, audit: LabelAudit, rank: int, mask: AuditedMask, piece: SuspectPiece
) -> Example:
    image, given = _read(dataset, audit.card.overlapping, mask.sample)
    share = piece.area_px / (given.shape[0] * given.shape[1])
    text = (
        f"score {mask.score:.3f} · {audit.label_name(piece.given)} in the mask, "
        f"{audit.label_name(piece.predicted)} by the model · {piece.area_px:,} px, {share:.1%} of "
        f"the image"
    )
    panels = draw_piece(image, given, unpack(mask.predicted), piece, audit.labels)
    return Example("", f"{rank}. {mask.sample.id}", text, panels)
