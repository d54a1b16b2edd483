"""`RegionScorer`: decides on the bags of a split with true and with predicted masks."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from maskwright.data import DataSet, Sample
from maskwright.errors import DataError
from maskwright.evaluation import EvaluateOptions, Evaluation, evaluate
from maskwright.evaluation.loop import attempt, pack
from maskwright.evaluation.result import rank_examples
from maskwright.inference.prediction import Prediction
from maskwright.tasks.regions import Region
from maskwright.tasks.regions.classifier import DecisionQueue
from maskwright.tasks.regions.evaluation.examples import ExampleDrawer
from maskwright.tasks.regions.evaluation.scores import (
    BagDecision,
    RegionEvaluation,
    region_cautions,
)
from maskwright.tasks.regions.evaluation.segmenter import SegmenterScorer
from maskwright.tasks.regions.extraction.masks import MIN_IOU, read_region_mask, region_iou
from maskwright.tasks.regions.learning.labeling import Labeling
from maskwright.tasks.regions.pipeline import Pipeline


@dataclass
class _Bag:
    """A bag on its way through an evaluation: filled image by image, then decided.

    As soon as it is complete, `true` and `predicted` lose their pixels: their names remain, and of
    the predicted ones `outlines`, from `pack`, with masks and boxes alone.
    """

    label: int = 0
    images: list[str] = field(default_factory=list)
    true: list[Region] = field(default_factory=list)
    predicted: list[Region] = field(default_factory=list)
    true_names: tuple[str, ...] = ()
    predicted_names: tuple[str, ...] = ()
    outlines: bytes = b""


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
        self.card = pipeline.classifier.card
        self._segmenter = SegmenterScorer(dataset, pipeline.segmenter, options)
        self._bags: dict[str, _Bag] = {}
        self._open: list[str] = []
        self._samples: list[Sample] = []
        self._true = DecisionQueue(pipeline.classifier)
        self._predicted = DecisionQueue(pipeline.classifier)
        samples = self._with_masks()
        others = (sample for sample in dataset.samples if sample.split != options.split)
        self.source = replace(dataset, samples=(*samples, *others))
        self._remaining = Counter(sample.case for sample in samples)

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
                if not regions:
                    raise DataError(f"{sample.image} has no region; nothing in it can be decided.")
                predicted: list[Region] = []
                if prediction is not None:
                    predicted = self.pipeline.regions(image, prediction, sample.id)
                self._collect(sample, regions, predicted)
        finally:
            self._remaining[sample.case] -= 1
            if self.card.unit != "case" or not self._remaining[sample.case]:
                self._complete()

    def result(self, base: Evaluation) -> RegionEvaluation:
        """Scores of all bags, as `Scorer.result`."""
        self._complete()
        self._true.flush()
        self._predicted.flush()
        if not self._bags:
            first = base.skipped[0].reason if base.skipped else "it has no labeled region"
            raise DataError(
                f"The split {base.split} has nothing to decide on; the first reason: {first}"
            )
        united = {sample.id: sample for sample in (*self._samples, *base.samples)}
        evaluation = RegionEvaluation(
            **{
                **vars(base),
                "samples": tuple(united[sample.id] for sample in self._samples),
                "bags": tuple(self._decided(name, united) for name in self._bags),
                "specificity": self.specificity,
                "has_predicted": self.pipeline.segmenter is not None,
                "segmentation": self._segmenter.result(base),
            }
        )
        ranked = rank_examples(evaluation.correctness, self.options.examples)
        network = self.network() if self.network and ranked else None
        drawer = ExampleDrawer(self.pipeline, self.dataset, evaluation, network)
        examples = []
        for rank, index in ranked:
            name = evaluation.bags[index].id
            decisions = self._true.decisions[name], self._predicted.decisions.get(name)
            examples.append(drawer.draw(rank, index, *decisions, self._bags[name].outlines))
        warnings = (*self._segmenter.warnings, *region_cautions(evaluation))
        return replace(evaluation, examples=tuple(examples), warnings=warnings)

    def _with_masks(self) -> list[Sample]:
        """Samples of the split with masks, those of a case one after the other."""
        samples = [sample for sample in self.dataset.of(self.options.split) if sample.masks]
        if not self._segmenter.is_scored:
            samples = [sample for sample in samples if not self.labeling.skips(sample)]
        if not samples:
            raise DataError(f"The split {self.options.split!r} has no labeled sample with masks.")
        if self.card.unit == "case":
            first = {case: n for n, case in enumerate(dict.fromkeys(s.case for s in samples))}
            samples.sort(key=lambda sample: first[sample.case])
        return samples

    def _collect(
        self, sample: Sample, regions: Sequence[Region], predicted: Sequence[Region]
    ) -> None:
        """Add the true and predicted regions of an image to their bags."""
        unit = self.card.unit
        for region, label in zip(regions, self.labeling.targets_of(sample, regions), strict=True):
            if label is None:
                continue
            name = {"region": region.name, "image": sample.id, "case": sample.case}[unit]
            if name not in self._bags:
                self._bags[name] = _Bag()
                self._open.append(name)
            bag = self._bags[name]
            bag.label = max(bag.label, label)
            bag.true.append(region)
            if sample.id not in bag.images:
                bag.images.append(sample.id)
                bag.predicted += _nearest(region, predicted) if unit == "region" else predicted
        self._samples.append(sample)

    def _complete(self) -> None:
        """Hand all open bags to the classifier, and let go of their pixels."""
        for name in self._open:
            bag = self._bags[name]
            self._true.add(name, bag.true)
            self._predicted.add(name, bag.predicted)
            bag.true_names = tuple(region.name for region in bag.true)
            bag.predicted_names = tuple(region.name for region in bag.predicted)
            bag.outlines = pack([replace(r, crop=None, crop_mask=None) for r in bag.predicted])
            bag.true, bag.predicted = [], []
        self._open = []

    def _decided(self, name: str, samples: Mapping[str, Sample]) -> BagDecision:
        """A bag with its decisions."""
        bag, true = self._bags[name], self._true.decisions[name]
        predicted = self._predicted.decisions.get(name)
        return BagDecision(
            id=name,
            case=samples[bag.images[0]].together,
            label=bag.label,
            images=tuple(bag.images),
            regions=bag.true_names,
            weights=true.weights,
            logit=true.logit,
            predicted_logit=None if predicted is None else predicted.logit,
            predicted_regions=bag.predicted_names,
            predicted_weights=None if predicted is None else predicted.weights,
        )


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
