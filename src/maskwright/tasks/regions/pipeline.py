"""`Pipeline`: segment, extract and classify, from the images of a case to decisions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

import numpy as np

from maskwright.errors import ConfigError
from maskwright.export.artifact import model_folder
from maskwright.export.engines import ALONE, Threads
from maskwright.inference.adjustments import Adjustments
from maskwright.inference.prediction import Prediction
from maskwright.inference.predictor import Flips, Segmenter, check_flips
from maskwright.model_card import CARD_FILE, SEGMENTER
from maskwright.tasks.loading import load_segmenter
from maskwright.tasks.regions import Region
from maskwright.tasks.regions.classifier import Classifier

NO_SEGMENTER = (
    "This model decides on masks and predicts none; give masks, or train it with --segmenter RUN."
)


@dataclass(frozen=True, eq=False)
class CaseResult:
    """The decision on one region, image or case, as is the unit of the classifier.

    Without any region `probability`, `decision`, `weights` and `region_probabilities` are `None`;
    the last two are as in `Decision`.
    """

    id: str
    images: tuple[str, ...]
    probability: float | None
    decision: str | None
    regions: tuple[Region, ...] = ()
    weights: np.ndarray | None = None
    region_probabilities: np.ndarray | None = None

    @property
    def deciding(self) -> Region | None:
        """Region of the largest weight."""
        if self.weights is None or not self.regions:
            return None
        return self.regions[int(np.argmax(self.weights))]

    @property
    def members(self) -> list[tuple[Region, float, float]]:
        """Each region that was decided on, with its weight and its probability."""
        if self.weights is None or self.region_probabilities is None:
            return []
        values = self.weights.tolist(), self.region_probabilities.tolist()
        return list(zip(self.regions, *values, strict=True))


class Pipeline:
    """A classifier of regions, and the segmenter that predicts their masks.

    `segmenter` is `None` where masks are always given; `flips` are its test-time flips.
    """

    def __init__(
        self, classifier: Classifier, segmenter: Segmenter | None = None, flips: Flips = False
    ) -> None:
        self.classifier = classifier
        self.segmenter = segmenter
        self.flips = flips

    @classmethod
    def load(cls, path: str | Path, threads: Threads = ALONE) -> "Pipeline":
        """Pipeline from a run or an exported model; raises `ModelError` where there is none.

        `threads` are those of engines other than TensorFlow.
        """
        folder = model_folder(path)
        # First, because it checks an artifact as a whole.
        classifier = Classifier.load(folder, threads)
        inner = folder / SEGMENTER
        segmenter = load_segmenter(inner, threads) if (inner / CARD_FILE).is_file() else None
        return cls(classifier, segmenter)

    def adjusted(self, flips: Flips = False, **adjustments: Unpack[Adjustments]) -> "Pipeline":
        """The same with other values on the card of the segmenter; see `Segmenter.adjusted`."""
        segmenter, classifier = self.segmenter, self.classifier
        if (pixel_range := adjustments.get("pixel_range")) is not None:
            card = replace(classifier.card, pixel_range=pixel_range)
            classifier = Classifier(classifier.decide, card)
        if segmenter is not None:
            segmenter = segmenter.adjusted(**adjustments)
            check_flips(segmenter.card, flips)
        elif flips or any(v is not None for k, v in adjustments.items() if k != "pixel_range"):
            raise ConfigError("This model has no segmenter to adjust; remove the options of masks.")
        return Pipeline(classifier, segmenter, flips)

    def segment(self, image: np.ndarray) -> Prediction:
        """Prediction of the segmenter, in its classes; `ConfigError` where there is none."""
        if self.segmenter is None:
            raise ConfigError(NO_SEGMENTER)
        return self.segmenter(image, flips=self.flips)

    def regions(
        self,
        image: np.ndarray,
        mask: np.ndarray | Prediction,
        image_id: str = "",
        background: int | None = 0,
    ) -> list[Region]:
        """Regions of an image `(h, w, c)`; `background` is that of a true mask, or `None`."""
        if isinstance(mask, Prediction):
            background = 0 if self.segmenter is None else self.segmenter.card.background
        return self.classifier.extract(image, mask, image_id, background)

    def decide(self, images: Iterable[tuple[str, str, Sequence[Region]]]) -> list[CaseResult]:
        """Decisions from the name, case and regions of each image, in the order of the images.

        An image or a case without any region has neither probability nor decision.
        """
        card = self.classifier.card
        bags = group_regions(images, card.unit)
        decisions = iter(self.classifier([regions for _, regions in bags.values() if regions]))
        results = []
        for key, (names, regions) in bags.items():
            if not regions:
                results.append(CaseResult(key, names, None, None))
                continue
            made = next(decisions)
            answer = card.names[int(made.probability >= card.threshold)]
            values = made.weights, made.region_probabilities
            results.append(
                CaseResult(key, names, made.probability, answer, tuple(regions), *values)
            )
        return results

    def __call__(
        self,
        images: Mapping[str, np.ndarray],
        masks: Mapping[str, np.ndarray] | None = None,
        case: str = "case",
    ) -> list[CaseResult]:
        """Decisions on the images `(h, w, c)` of one case, by name; `None` predicts the masks."""

        def regions(name: str, image: np.ndarray) -> list[Region]:
            return self.regions(image, self.segment(image) if masks is None else masks[name], name)

        return self.decide((name, case, regions(name, image)) for name, image in images.items())


def group_regions(
    images: Iterable[tuple[str, str, Sequence[Region]]], unit: str
) -> dict[str, tuple[tuple[str, ...], list[Region]]]:
    """Image names and regions of each bag, by its name, from name, case and regions of images."""
    bags: dict[str, tuple[tuple[str, ...], list[Region]]] = {}
    for image, case, regions in images:
        if unit == "region":
            bags.update({region.name: ((image,), [region]) for region in regions})
            continue
        key = image if unit == "image" else case
        names, members = bags.get(key, ((), []))
        bags[key] = ((*names, image), [*members, *regions])
    return bags
