"""From regions to decisions, whatever runs the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit

from maskwright.export.engines import ALONE, Threads
from maskwright.inference.predictor import model_pixels
from maskwright.model_card import RegionCard
from maskwright.tasks.regions.extraction.extract import Region
from maskwright.tasks.regions.learning.bags import CropSpec, row
from maskwright.tasks.regions.learning.collate import as_inputs
from maskwright.tasks.regions.open_classifier import ClassifierFn, load_classifier
from maskwright.types import RegionKind

REGIONS_AT_ONCE = 128
"""Regions given to the model at once; a bag of more comes alone."""


@dataclass(frozen=True, eq=False)
class Decision:
    """What a classifier makes of one bag.

    Args:
        probability: Of the positive answer, calibrated by the card's temperature.
        logit: Before the temperature.
        weights: Share of each region in the decision, `(n,)`; sums to 1.
        region_probabilities: Of each region alone, `(n,)`.
    """

    probability: float
    logit: float
    weights: np.ndarray
    region_probabilities: np.ndarray


class Classifier:
    """A model of decisions and the card that says how to use it.

    Args:
        decide: The model.
        card: How regions are cut out, temperature and threshold.
    """

    def __init__(self, decide: ClassifierFn, card: RegionCard) -> None:
        self.decide = decide
        self.card = card
        self.view = CropSpec(
            card.regions,
            card.size,
            card.context,
            card.min_area_px,
            card.min_guess_px,
            card.full_scale,
        )

    @classmethod
    def load(cls, path: str | Path, threads: Threads = ALONE) -> "Classifier":
        """Classifier from the folder of a run; raises `ModelError` where there is none.

        Args:
            path: Folder of a run, or an exported model.
            threads: Of an engine other than TensorFlow.
        """
        return cls(*load_classifier(Path(path), threads))

    def cut(
        self,
        image: np.ndarray,
        mask: np.ndarray,
        image_id: str = "",
        background: int | None = 0,
        guessed: bool = False,
        regions: RegionKind | None = None,
    ) -> list[Region]:
        """Regions of an image `(h, w, c)` as this classifier takes them.

        Pixels are converted as `Predictor` converts them.

        Args:
            image: As `read_image` gives it.
            mask: Labels or instances `(h, w)`.
            image_id: Name of the image.
            background: Label that is no region, or `None`.
            guessed: The mask is a segmenter's; see `View.cut`.
            regions: What a region is, in place of the card's own.
        """
        return self.view.cut(
            self.convert(image), mask, image_id, regions, background=background, guessed=guessed
        )

    def convert(self, image: np.ndarray) -> np.ndarray:
        """Image in the channels and the type that the classifier was trained on."""
        card = self.card
        if (image.shape[2], str(image.dtype)) == (card.channels, card.dtype):
            return image
        pixels = model_pixels(image[None], card.channels, card.dtype)[0]
        return pixels.round().astype(card.dtype) if card.dtype != "float32" else pixels

    def __call__(self, bags: Sequence[Sequence[Region]]) -> list[Decision]:
        """Decide on bags of regions with crops, none of them empty."""
        decisions: list[Decision] = []
        waiting: list[Sequence[Region]] = []
        for bag in bags:
            if waiting and sum(map(len, waiting)) + len(bag) > REGIONS_AT_ONCE:
                decisions += self._some(waiting)
                waiting = []
            waiting.append(bag)
        return decisions + self._some(waiting) if waiting else decisions

    def _some(self, bags: Sequence[Sequence[Region]]) -> list[Decision]:
        rows = [row(region) for bag in bags for region in bag]
        owners = [place for place, bag in enumerate(bags) for _ in bag]
        crops, masks, vectors = zip(*rows, strict=True)
        card = self.card
        told = self.decide(
            as_inputs(crops, masks, vectors, owners, card.outside, card.value_range[1])
        )
        alone = expit(told["region_logits"][:, 0] / card.temperature)
        decisions = []
        for place in range(len(bags)):
            own = np.flatnonzero(np.array(owners) == place)
            logit = float(told["logits"][place, 0])
            decisions.append(
                Decision(
                    probability=float(expit(logit / card.temperature)),
                    logit=logit,
                    weights=told["weights"][place, own],
                    region_probabilities=alone[own],
                )
            )
        return decisions
