"""`Classifier`: from bags of regions to decisions, with any engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit

from maskwright.export.engines import ALONE, Threads
from maskwright.inference.pixels import fit_range, model_pixels
from maskwright.inference.prediction import Prediction
from maskwright.model_card import RegionCard
from maskwright.tasks.regions import CropSpec, Region, extract
from maskwright.tasks.regions.export import ClassifierFn, load_classifier
from maskwright.tasks.regions.extraction.masks import extract_predicted
from maskwright.tasks.regions.learning.bags import region_inputs

_MAX_BATCH_REGIONS = 128  # given to the model at once; a bag of more is a batch by itself


@dataclass(frozen=True, eq=False)
class Decision:
    """Output of a classifier for one bag of `n` regions.

    `probability` is that of the positive class, calibrated by the temperature of the card, `logit`
    is not. `weights` are the shares of the regions in the decision, `(n,)`, which sum to 1;
    `region_probabilities`, `(n,)`, are those of each region by itself.
    """

    probability: float
    logit: float
    weights: np.ndarray
    region_probabilities: np.ndarray


class Classifier:
    """A model of decisions on regions, and its card."""

    def __init__(self, decide: ClassifierFn, card: RegionCard) -> None:
        self.decide = decide
        self.card = card
        # Pixels outside the mask are treated when regions become inputs.
        self.crop_spec = CropSpec(
            kind=card.regions,
            size=card.size,
            context=card.context,
            min_area_px=card.min_area_px,
            min_predicted_px=card.min_predicted_px,
            full_scale=card.full_scale,
        )

    @classmethod
    def load(cls, path: str | Path, threads: Threads = ALONE) -> "Classifier":
        """Classifier from a run or an exported model; raises `ModelError` where there is none.

        `threads` are those of an engine other than TensorFlow.
        """
        return cls(*load_classifier(Path(path), threads))

    def extract(
        self,
        image: np.ndarray,
        mask: np.ndarray | Prediction,
        image_id: str = "",
        background: int | None = 0,
    ) -> list[Region]:
        """Regions of a mask as this classifier takes them; the image is converted with `convert`.

        `mask` is ground truth as labels or instances `(h, w)`, or what a segmenter predicted.
        """
        image = self.convert(image)
        if isinstance(mask, Prediction):
            return extract_predicted(
                image, mask, self.crop_spec, image_id=image_id, background=background
            )
        return extract(image, mask, self.crop_spec, image_id=image_id, background=background)

    def convert(self, image: np.ndarray) -> np.ndarray:
        """Image in the channels and the type that the classifier was trained on."""
        card = self.card
        image = fit_range(image, card)
        if (image.shape[2], str(image.dtype)) == (card.channels, card.dtype):
            return image
        pixels = model_pixels(image[None], card)[0]
        return pixels.round().astype(card.dtype) if card.dtype != "float32" else pixels

    def __call__(self, bags: Sequence[Sequence[Region]]) -> list[Decision]:
        """Decide on bags of regions with crops, none of them empty."""
        queue = DecisionQueue(self)
        for number, bag in enumerate(bags):
            queue.add(str(number), bag)
        queue.flush()
        return list(queue.decisions.values())

    def decide_batch(self, bags: Sequence[Sequence[Region]]) -> list[Decision]:
        """Decide on bags in one call of the model."""
        inputs, temperature = region_inputs(bags, self.card), self.card.temperature
        outputs = self.decide(inputs)
        region_probabilities = expit(outputs["region_logits"][:, 0] / temperature)
        logits = outputs["logits"][:, 0].tolist()
        return [
            Decision(
                probability=float(expit(logit / temperature)),
                logit=logit,
                weights=weights[owned > 0],
                region_probabilities=region_probabilities[owned > 0],
            )
            for logit, weights, owned in zip(
                logits, outputs["weights"], inputs["bags"], strict=True
            )
        ]


class DecisionQueue:
    """Regions that wait until there are enough for one call of the classifier."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        self.decisions: dict[str, Decision] = {}
        self._waiting: dict[str, Sequence[Region]] = {}

    def add(self, name: str, regions: Sequence[Region]) -> None:
        """Decide on a bag now or later; one without regions gets no decision."""
        if not regions:
            return
        waiting = sum(map(len, self._waiting.values()))
        if self._waiting and waiting + len(regions) > _MAX_BATCH_REGIONS:
            self.flush()
        self._waiting[name] = regions

    def flush(self) -> None:
        """Decide on all bags that wait."""
        if self._waiting:
            decisions = self.classifier.decide_batch(list(self._waiting.values()))
            self.decisions.update(zip(self._waiting, decisions, strict=True))
            self._waiting = {}
