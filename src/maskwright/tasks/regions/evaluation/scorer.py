"""`RegionScorer`: decides on the bags of a split with true and with predicted masks."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data import DataSet, Sample
from maskwright.errors import DataError
from maskwright.evaluation import EvaluateOptions, Evaluation, evaluate
from maskwright.evaluation.loop import attempt
from maskwright.evaluation.result import rank_examples
from maskwright.inference.predictor import Prediction
from maskwright.tasks.regions.evaluation.bags import DecisionQueue, OpenBag, PackedBag
from maskwright.tasks.regions.evaluation.examples import ExampleDrawer
from maskwright.tasks.regions.evaluation.scores import RegionEvaluation, region_cautions
from maskwright.tasks.regions.evaluation.segmenter import SegmenterScorer
from maskwright.tasks.regions.extraction.extract import Region
from maskwright.tasks.regions.extraction.masks import MIN_IOU, read_region_mask, region_iou
from maskwright.tasks.regions.learning.labeling import Labeling
from maskwright.tasks.regions.pipeline import Pipeline


@dataclass(frozen=True, eq=False)
class RegionTruth:
    """Ground truth of an image; an error stands for what cannot be read.

    Regions are found in `mask`, int32 `(h, w)`, `None` where nothing is decided; the segmenter, if
    there is one, is scored by `labels`, int32 `(h, w)`.
    """

    mask: np.ndarray | DataError | None
    background: int | None
    labels: np.ndarray | DataError | None


class RegionScorer:
    """Decisions on the bags of a split, and scores of the segmenter's masks, in one pass.

    Regions lose their pixels as soon as their bag is complete and decided; images of a case are
    read one after the other for that. Sensitivity is computed at `specificity`; `network` returns
    the Keras model of the classifier, for heat maps, `None` for none.
    """

    workers: int | None = 1

    def __init__(
        self,
        pipeline: Pipeline,
        dataset: DataSet,
        labeling: Labeling,
        options: EvaluateOptions,
        specificity: float = 0.9,
        network: Callable[[], Any] | None = None,
    ) -> None:
        self.pipeline, self.dataset, self.labeling = pipeline, dataset, labeling
        self.options, self.specificity, self.network = options, specificity, network
        self.source, self.card = self, pipeline.classifier.card
        self._segmenter = SegmenterScorer(dataset, pipeline.segmenter, options)
        self._open: dict[str, OpenBag] = {}
        self._bags: dict[str, PackedBag | None] = {}
        self._samples: list[Sample] = []
        self._true = DecisionQueue(pipeline.classifier)
        self._predicted = DecisionQueue(pipeline.classifier)
        self._remaining: Counter[str] = Counter()

    @property
    def root(self) -> Path:
        """Folder of the data."""
        return self.dataset.root

    def of(self, split: str) -> list[Sample]:
        """Samples of a split with masks, those of a case one after the other."""
        samples = [sample for sample in self.dataset.of(split) if sample.masks]
        if not self._segmenter.is_scored:
            samples = [sample for sample in samples if not self.labeling.skips(sample)]
        if self.card.unit == "case":
            first = {case: n for n, case in enumerate(dict.fromkeys(s.case for s in samples))}
            samples.sort(key=lambda sample: first[sample.case])
        self._remaining = Counter(sample.case for sample in samples)
        return samples

    def read(self, sample: Sample) -> tuple[np.ndarray, RegionTruth]:
        """Image and ground truth, as `Scorer.read`."""
        image = self.dataset.read_image(sample)
        mask: np.ndarray | DataError | None = None
        labels: np.ndarray | DataError | None = None
        background = None
        if not self.labeling.skips(sample):
            try:
                mask, background = read_region_mask(self.dataset, sample, self.card.regions)
            except DataError as error:
                mask = error
        if self._segmenter.is_scored:
            is_same = mask is not None and self.card.regions != "instances"
            labels = mask if is_same else attempt(self.dataset.read_mask, sample)
        return image, RegionTruth(mask, background, labels)

    def update(
        self, sample: Sample, image: np.ndarray, truth: RegionTruth, prediction: Prediction | None
    ) -> None:
        """Collect the regions of one image and decide on complete bags, as `Scorer.update`."""
        try:
            if prediction is not None and truth.labels is not None:
                self._segmenter.update(sample, image, truth.labels, prediction)
            if isinstance(truth.mask, DataError):
                raise truth.mask
            if truth.mask is not None:
                regions = self.pipeline.regions(image, truth.mask, sample.id, truth.background)
                self._collect(sample, image, regions, prediction)
        finally:
            self._remaining[sample.case] -= 1
            if self.card.unit != "case" or not self._remaining[sample.case]:
                self._complete()

    def result(self, base: Evaluation) -> RegionEvaluation:
        """Scores of all bags, as `Scorer.result`."""
        self._complete()
        self._true.flush()
        self._predicted.flush()
        bags = [bag for bag in self._bags.values() if bag is not None]
        if not bags:
            first = base.skipped[0].reason if base.skipped else "it has no labeled sample"
            raise DataError(
                f"The split {base.split} has nothing to decide on; the first reason: {first}"
            )
        true, predicted = self._true.decisions, self._predicted.decisions
        evaluation = RegionEvaluation(
            **{
                **vars(base),
                "samples": tuple(self._samples),
                "bags": tuple(
                    bag.decided(true[bag.bag.id], predicted.get(bag.bag.id)) for bag in bags
                ),
                "specificity": self.specificity,
                "has_predicted": self.pipeline.segmenter is not None,
                "segmentation": self._segmenter.result(base),
            }
        )
        drawer = ExampleDrawer(self.pipeline, self.dataset, evaluation, self.network)
        examples = []
        for rank, index in rank_examples(evaluation.correctness, self.options.examples):
            name = bags[index].bag.id
            examples.append(drawer.draw(rank, index, bags[index], true[name], predicted.get(name)))
        warnings = (*self._segmenter.warnings, *region_cautions(evaluation))
        return replace(evaluation, examples=tuple(examples), warnings=warnings)

    def _collect(
        self,
        sample: Sample,
        image: np.ndarray,
        regions: Sequence[Region],
        prediction: Prediction | None,
    ) -> None:
        """Add the true and predicted regions of an image to their bags."""
        if not regions:
            raise DataError(f"{sample.image} has no region; nothing in it can be decided.")
        predicted: list[Region] = []
        if prediction is not None:
            predicted = self.pipeline.regions(image, prediction, sample.id)
        unit = self.card.unit
        for region, label in zip(regions, self.labeling.targets_of(sample, regions), strict=True):
            if label is None:
                continue
            name = {"region": region.name, "image": sample.id, "case": sample.case}[unit]
            bag = self._open.setdefault(name, OpenBag(name, sample.together))
            self._bags.setdefault(name, None)
            bag.label = max(bag.label, label)
            bag.true.append(region)
            if unit == "region":
                bag.samples, bag.predicted = [sample], _nearest(region, predicted)
            elif not bag.samples or bag.samples[-1] is not sample:
                bag.samples.append(sample)
                bag.predicted += predicted
        self._samples.append(sample)

    def _complete(self) -> None:
        """Hand all open bags to the classifier, and keep them without pixels."""
        for name, bag in self._open.items():
            self._true.add(name, bag.true)
            self._predicted.add(name, bag.predicted)
            self._bags[name] = PackedBag.of(bag)
        self._open = {}


def evaluate_regions(scorer: RegionScorer) -> RegionEvaluation:
    """Score the decisions of a pipeline on a split; see `evaluation.evaluate`."""
    pipeline = scorer.pipeline
    if pipeline.segmenter is None:
        return evaluate(lambda _: None, scorer)
    return evaluate(pipeline.segment, scorer)


def _nearest(region: Region, predicted: Sequence[Region]) -> list[Region]:
    """The predicted region that stands for a true one, if any does."""
    overlaps = [region_iou(region, other) for other in predicted]
    if not overlaps or max(overlaps) <= MIN_IOU:
        return []
    return [predicted[int(np.argmax(overlaps))]]
