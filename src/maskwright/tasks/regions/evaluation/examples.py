"""Pictures of single decisions: the image, its regions, and the region that weighs most."""

from typing import Any

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.to_rgb import as_picture
from maskwright.evaluation.loop import unpack
from maskwright.evaluation.result import Example, shown
from maskwright.tasks.regions.classifier import Decision
from maskwright.tasks.regions.drawing import draw_decisions
from maskwright.tasks.regions.evaluation.scores import RegionEvaluation
from maskwright.tasks.regions.extraction.masks import read_region_mask
from maskwright.tasks.regions.grad_cam import heat_pictures
from maskwright.tasks.regions.learning.bags import row
from maskwright.tasks.regions.pipeline import Pipeline


class ExampleDrawer:
    """Draws decisions; images and ground truth masks are read again, nothing is predicted again.

    `network` is the Keras model of the classifier, for heat maps; `None` for none.
    """

    def __init__(
        self, pipeline: Pipeline, dataset: DataSet, evaluation: RegionEvaluation, network: Any
    ) -> None:
        self.pipeline, self.dataset, self.evaluation = pipeline, dataset, evaluation
        self.network, self.card = network, evaluation.card

    def draw(
        self, rank: str, index: int, true: Decision, predicted: Decision | None, outlines: bytes
    ) -> Example:
        """The image with the region that weighs most, and that region by itself.

        `index` is that of the bag in the evaluation; `outlines` are its packed predicted regions.
        """
        card, heaviest = self.card, int(np.argmax(true.weights))
        bag = self.evaluation.bags[index]
        image_id = bag.regions[heaviest].rpartition("#")[0]
        sample = next(s for s in self.evaluation.samples if s.id == image_id)
        image = self.dataset.read_image(sample)
        picture = as_picture(image)
        mask, background = read_region_mask(self.dataset, sample, card.regions)
        extracted = self.pipeline.regions(image, mask, sample.id, background)
        regions = {region.name: region for region in extracted}
        indices = [k for k, name in enumerate(bag.regions) if name in regions]
        outlined = draw_decisions(
            picture,
            [regions[bag.regions[k]] for k in indices],
            true.region_probabilities[indices].tolist(),
            card.threshold,
            true.weights[indices].tolist() if card.unit != "region" else None,
        )
        panels = [("Image", shown(picture)), ("Ground truth", shown(outlined))]
        if self.evaluation.has_predicted:
            others = unpack(outlines)
            indices = [k for k, region in enumerate(others) if region.image_id == sample.id]
            alone = [] if predicted is None else predicted.region_probabilities[indices].tolist()
            outlined = draw_decisions(picture, [others[k] for k in indices], alone, card.threshold)
            panels.append(("Predicted mask", shown(outlined)))
        region = regions[bag.regions[heaviest]]
        panels.append(("Region", shown(as_picture(row(region)[0]))))
        if self.network is not None:
            panels.append(("Heat map", shown(heat_pictures(self.network, [region], card)[0])))
        return Example(rank, bag.id, self._text(index), tuple(panels))

    def _text(self, index: int) -> str:
        names, evaluation = self.card.names, self.evaluation
        bag, probability = evaluation.bags[index], f"{evaluation.probabilities[index]:.3f}"
        text = f"{names[bag.label]} · probability of {names[1]} {probability}"
        if evaluation.has_predicted:
            text += f", with predicted masks {evaluation.predicted_probabilities[index]:.3f}"
        if len(bag.regions) > 1 and (deciding := bag.deciding):
            text += f" · {deciding[0]} weighs {deciding[1]:.0%}"
        return text
