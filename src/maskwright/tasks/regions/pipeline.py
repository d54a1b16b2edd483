"""Segment, extract, classify: from the images of a case to one answer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import ConfigError
from maskwright.export.artifact import model_folder
from maskwright.export.engines import ALONE, Threads
from maskwright.inference.predictor import Flips, Prediction
from maskwright.model_card import CARD_FILE, SEGMENTER
from maskwright.tasks.instances.segmenter import Segmenter, load_segmenter
from maskwright.tasks.regions.classifier import Classifier
from maskwright.tasks.regions.extraction.crops import align
from maskwright.tasks.regions.extraction.extract import Region
from maskwright.tasks.regions.extraction.predicted_regions import found_regions


@dataclass(frozen=True, eq=False)
class CaseResult:
    """The answer on one case, image or region, as the classifier's unit is.

    Args:
        id: Name of what was decided on.
        images: Names of its images.
        probability: Of the positive answer; `None` where there was no region to look at.
        decision: Name of the answer, or `None`.
        regions: What was looked at.
        weights: Share of each region in the answer, `(n,)`.
        region_probabilities: Of each region alone, `(n,)`.
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
        """Region that weighs most."""
        if self.weights is None or not self.regions:
            return None
        return self.regions[int(np.argmax(self.weights))]


class Pipeline:
    """A classifier, and a segmenter that finds what it looks at.

    Args:
        classifier: Decides on regions.
        segmenter: Draws masks; `None` where they are always given.
        flips: As the segmenter takes them.
    """

    def __init__(
        self, classifier: Classifier, segmenter: Segmenter | None = None, flips: Flips = False
    ) -> None:
        self.classifier = classifier
        self.segmenter = segmenter
        self.flips = flips

    @classmethod
    def load(cls, path: str | Path, threads: Threads = ALONE) -> "Pipeline":
        """Pipeline from a run on regions, or one that was exported; `ModelError` for none.

        Args:
            path: Folder of a run, or an exported model.
            threads: Of engines other than TensorFlow.
        """
        folder = model_folder(path)
        classifier = Classifier.load(
            folder, threads
        )  # first, because it checks an artifact as a whole
        inner = folder / SEGMENTER
        found = load_segmenter(inner, threads) if (inner / CARD_FILE).is_file() else None
        return cls(classifier, found)

    def adjusted(self, flips: Flips = False, **adjustments: Any) -> "Pipeline":
        """The same with a segmenter as `Predictor.adjusted` gives it."""
        segmenter = self.segmenter
        if segmenter is not None:
            segmenter = segmenter.adjusted(**adjustments)
        elif flips or any(value is not None for value in adjustments.values()):
            raise ConfigError("This model has no segmenter that could be adjusted.")
        return Pipeline(self.classifier, segmenter, flips)

    def segment(self, image: np.ndarray) -> Prediction:
        """What the segmenter draws, in its own classes.

        Raises:
            ConfigError: If there is no segmenter.
        """
        if self.segmenter is None:
            raise ConfigError(
                "This model decides on masks and draws none; give masks, or train it with "
                "--segmenter RUN, which puts both into one."
            )
        return self.segmenter(image, flips=self.flips)

    def regions(
        self,
        image: np.ndarray,
        mask: np.ndarray | Prediction,
        image_id: str = "",
        background: int | None = 0,
    ) -> list[Region]:
        """Regions of an image.

        Args:
            image: `(h, w, c)`.
            mask: True labels or instances, or what `segment` drew; see `View.cut`.
            image_id: Name of the image.
            background: Label of a true mask that is no region, or `None`.
        """
        if isinstance(mask, Prediction):
            drawn = 0 if self.segmenter is None else self.segmenter.card.background
            kind = self.classifier.card.regions
            return found_regions(self.classifier.cut, image, mask, image_id, kind, drawn)
        mask = align(image, mask)
        return self.classifier.cut(image, mask, image_id, background=background)

    def decide(self, found: Sequence[tuple[str, str, Sequence[Region]]]) -> list[CaseResult]:
        """Answers from the regions of images.

        Args:
            found: Name of the image, its case and its regions, for every image.

        Returns:
            One for each case, image or region, in the order of the images. An image or a case
            without any region has neither probability nor decision.
        """
        bags = gather(found, self.classifier.card.unit)
        names = self.classifier.card.names
        decisions = iter(self.classifier([own for _, own in bags.values() if own]))
        results = []
        for key, (images, own) in bags.items():
            if not own:
                results.append(CaseResult(key, images, None, None))
                continue
            made = next(decisions)
            positive = made.probability >= self.classifier.card.threshold
            results.append(
                CaseResult(
                    id=key,
                    images=images,
                    probability=made.probability,
                    decision=names[int(positive)],
                    regions=tuple(own),
                    weights=made.weights,
                    region_probabilities=made.region_probabilities,
                )
            )
        return results

    def __call__(
        self,
        images: Mapping[str, np.ndarray],
        masks: Mapping[str, np.ndarray] | None = None,
        case: str = "case",
    ) -> list[CaseResult]:
        """Answers on the images `(h, w, c)` of one case, by name.

        Args:
            images: As `read_image` gives them.
            masks: Of all of them, or `None` for those of the segmenter.
            case: Name of the case.
        """
        return self.decide(
            [
                (
                    name,
                    case,
                    self.regions(image, self.segment(image), name)
                    if masks is None
                    else self.regions(image, masks[name], name),
                )
                for name, image in images.items()
            ]
        )


def gather(
    found: Iterable[tuple[str, str, Sequence[Region]]], unit: str
) -> dict[str, tuple[tuple[str, ...], list[Region]]]:
    """Bags from images, their cases and regions: images and regions of each, by name."""
    bags: dict[str, tuple[tuple[str, ...], list[Region]]] = {}
    for image, case, regions in found:
        if unit == "region":
            bags.update({region.name: ((image,), [region]) for region in regions})
            continue
        key = image if unit == "image" else case
        images, own = bags.get(key, ((), []))
        bags[key] = ((*images, image), [*own, *regions])
    return bags
