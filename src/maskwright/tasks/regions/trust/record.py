"""`AnswerTrust`: answers of a model of decisions, and their promises, as trust.json."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from maskwright.errors import ModelError
from maskwright.model_card import TRUST_FILE, RegionCard
from maskwright.reliability.options import require_same_use
from maskwright.tasks.regions.pipeline import Pipeline
from maskwright.tasks.regions.trust.answer_sets import AnswerSets
from maskwright.tasks.trust_file import PlainTrust
from maskwright.types import Alert, OnMessage

Masks = Literal["given", "predicted"]
"""Whether decisions are made on given masks, or on those that the segmenter predicts."""

_OF_DECISIONS = (
    *("temperature", "unit", "regions", "size", "context", "outside", "measures"),
    *("min_area_px", "min_predicted_px", "full_scale"),
)
_NOT_OF_MASKS = {
    *("format_version", "version", "data", "stopped", "labels", "channels", "dtype"),
    *("value_range", "percentiles", "pixel_range", "symmetries"),
}


@dataclass(frozen=True, kw_only=True)
class AnswerTrust(PlainTrust):
    """Answers of a model of decisions.

    Args:
        answers: By where masks come from; `calibrated_with` has the same keys.
    """

    task: ClassVar[str] = RegionCard.task

    answers: Mapping[Masks, AnswerSets]

    @property
    def sentences(self) -> list[str]:
        """The promises in words."""
        return sentences_of(self.answers)

    @property
    def remarks(self) -> list[str]:
        """The promises in words, and what could not be promised."""
        return [*self.sentences, *self.notes]

    def for_engine(
        self, model_sha256: str, pipeline: Pipeline, tolerances: Mapping[Masks, float]
    ) -> Self:
        """Answers of the same model in another engine, on the kinds of masks of `tolerances`.

        Args:
            model_sha256: On the card of the exported model.
            pipeline: The exported model.
            tolerances: By how much probabilities differ; thresholds move to the safe side.
        """
        return replace(
            self,
            model_sha256=model_sha256,
            answers={masks: self.answers[masks].safer(by) for masks, by in tolerances.items()},
            calibrated_with={each: answers_calibrated_with(pipeline, each) for each in tolerances},
        )

    def answers_for(self, path: Path, pipeline: Pipeline, masks: Masks) -> AnswerSets:
        """Answers on masks of a kind; `ModelError` where they do not hold for the way to predict.

        Args:
            path: Of the record, named in the message.
        """
        if masks not in self.answers:
            raise ModelError(
                f"The promises in {path} were not made for {masks} masks: run `maskwright trust` "
                f"again."
            )
        used = pipeline.classifier.card.model_sha256, answers_calibrated_with(pipeline, masks)
        require_same_use(path, (self.model_sha256, self.calibrated_with[masks]), used)
        return self.answers[masks]


def sentences_of(answers: Mapping[Masks, AnswerSets]) -> list[str]:
    """Promises in words, of answers by the kind of masks."""
    return [
        f"With {masks} masks: {sentence[0].lower()}{sentence[1:]}" if len(answers) > 1 else sentence
        for masks, sets in answers.items()
        for sentence in sets.sentences()
    ]


def read_answers(
    folder: Path, pipeline: Pipeline, masks: Masks, on_message: OnMessage
) -> AnswerSets | None:
    """Answers in the folder of a model; `None` without a record.

    `on_message` is told why, where there is one that is damaged, or does not hold for the way to
    predict: decisions are as good as before, but without an answer.
    """
    path = folder / TRUST_FILE
    if not path.is_file():
        return None
    try:
        return AnswerTrust.read(folder).answers_for(path, pipeline, masks)
    except ModelError as error:
        on_message(Alert(f"Without the column answer: {error}"))
        return None


def answers_calibrated_with(pipeline: Pipeline, masks: Masks) -> dict[str, Any]:
    """How decisions are made, as plain values: by the classifier, and by the segmenter if masks are
    predicted.
    """
    card = pipeline.classifier.card
    values = {name: getattr(card, name) for name in _OF_DECISIONS}
    if masks == "predicted" and pipeline.segmenter is not None:
        settings = json.loads(pipeline.segmenter.card.to_json())
        values |= {
            f"{name} of the segmenter": value
            for name, value in settings.items()
            if name not in _NOT_OF_MASKS
        }
        values["flips"] = pipeline.flips
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
