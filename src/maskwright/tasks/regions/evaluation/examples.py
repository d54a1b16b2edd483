"""Pictures of single decisions: the image, its regions, and the region that weighs most."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.to_rgb import as_picture
from maskwright.evaluation.loop import unpack
from maskwright.evaluation.result import Example, shown
from maskwright.tasks.regions.classifier import Decision
from maskwright.tasks.regions.drawing import draw_decisions
from maskwright.tasks.regions.evaluation.bags import PackedBag
from maskwright.tasks.regions.evaluation.scores import RegionEvaluation
from maskwright.tasks.regions.extraction.masks import read_region_mask
from maskwright.tasks.regions.grad_cam import heat_pictures
from maskwright.tasks.regions.learning.bags import row
from maskwright.tasks.regions.pipeline import Pipeline


class ExampleDrawer:
    """Draws decisions; images and true masks are read again, nothing is predicted again.

    `network` returns the Keras model of the classifier, for heat maps; `None` for none.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        dataset: DataSet,
        evaluation: RegionEvaluation,
        network: Callable[[], Any] | None,
    ) -> None:
        self.pipeline, self.dataset, self.evaluation = pipeline, dataset, evaluation
        self.network = network
        self.card = evaluation.card

    @cached_property
    def _model(self) -> Any:
        return self.network() if self.network else None

    def draw(
        self, rank: str, index: int, bag: PackedBag, true: Decision, predicted: Decision | None
    ) -> Example:
        """The image with the region that weighs most, and that region by itself.

        `index` is that of the bag in the evaluation.
        """
        card, heaviest = self.card, int(np.argmax(true.weights))
        image_id = bag.true[heaviest].rpartition("#")[0]
        sample = next(s for s in bag.bag.samples if s.id == image_id)
        image = self.dataset.read_image(sample)
        picture = as_picture(image)
        mask, background = read_region_mask(self.dataset, sample, card.regions)
        extracted = self.pipeline.regions(image, mask, sample.id, background)
        regions = {region.name: region for region in extracted}
        indices = [k for k, name in enumerate(bag.true) if name in regions]
        outlined = draw_decisions(
            picture,
            [regions[bag.true[k]] for k in indices],
            true.region_probabilities[indices].tolist(),
            card.threshold,
            true.weights[indices].tolist() if card.unit != "region" else None,
        )
        panels = [("Image", shown(picture)), ("Ground truth", shown(outlined))]
        if self.evaluation.has_predicted:
            outlines = unpack(bag.outlines)
            indices = [k for k, region in enumerate(outlines) if region.image_id == sample.id]
            alone = [] if predicted is None else predicted.region_probabilities[indices].tolist()
            drawn = [outlines[k] for k in indices]
            outlined = draw_decisions(picture, drawn, alone, card.threshold)
            panels.append(("Predicted mask", shown(outlined)))
        region = regions[bag.true[heaviest]]
        panels.append(("Region", shown(as_picture(row(region)[0]))))
        if self._model is not None:
            panels.append(("Heat map", shown(heat_pictures(self._model, [region], card)[0])))
        return Example(rank, bag.bag.id, self._text(index, bag, true, heaviest), tuple(panels))

    def _text(self, index: int, bag: PackedBag, true: Decision, heaviest: int) -> str:
        names, evaluation = self.card.names, self.evaluation
        probability = f"{evaluation.probabilities[index]:.3f}"
        text = f"{names[bag.bag.label]} · probability of {names[1]} {probability}"
        if evaluation.has_predicted:
            text += f", with predicted masks {evaluation.predicted_probabilities[index]:.3f}"
        if len(bag.true) > 1:
            text += f" · {bag.true[heaviest]} weighs {true.weights[heaviest]:.0%}"
        return text
