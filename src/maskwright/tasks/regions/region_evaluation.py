"""Decide on every bag of a split, with true masks and with predicted ones, and score both."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.geometry import resize_image
from maskwright.data.parallel import progress
from maskwright.data.samples import Sample
from maskwright.data.to_rgb import as_picture
from maskwright.errors import DataError
from maskwright.evaluation.evaluate import Evaluation, Skipped, evaluate, ranked
from maskwright.inference.predictor import Flips, Prediction
from maskwright.tasks.instances.segmenter import Segmenter
from maskwright.tasks.regions.classifier import Decision
from maskwright.tasks.regions.drawing import draw_decisions
from maskwright.tasks.regions.extraction.extract import Region
from maskwright.tasks.regions.extraction.ground_truth import read_region_mask
from maskwright.tasks.regions.extraction.matching import MIN_IOU, region_iou
from maskwright.tasks.regions.grad_cam import draw_heat, heat_map
from maskwright.tasks.regions.learning.bags import row
from maskwright.tasks.regions.learning.collate import as_inputs
from maskwright.tasks.regions.learning.labeling import Labeling
from maskwright.tasks.regions.pipeline import Pipeline
from maskwright.tasks.regions.region_scores import BagDecision, DecisionEvaluation, DecisionExample

_SHOWN_PX = 384  # of the longer side of an example


@dataclass
class _Bag:
    """What is known of a bag before it is decided on."""

    id: str
    case: str
    label: int
    samples: list[Sample]
    regions: list[Region]
    guesses: list[Region]


class _Remembering:
    """A segmenter that predicts the same image once, however often it is asked."""

    def __init__(self, predictor: Segmenter) -> None:
        self.predictor = predictor
        self.known: dict[bytes, Prediction] = {}

    @property
    def card(self) -> Any:
        return self.predictor.card

    def __call__(self, image: np.ndarray, *, flips: Flips = False) -> Prediction:
        key = hashlib.blake2b(np.ascontiguousarray(image).data).digest()
        if key not in self.known:
            drawn = self.predictor(image, flips=flips)
            self.known[key] = Prediction(drawn.labels.astype(np.uint8), instances=drawn.instances)
        kept = self.known[key]
        return Prediction(kept.labels.astype(np.int32), instances=kept.instances)


def evaluate_decisions(
    pipeline: Pipeline,
    dataset: DataSet,
    labeling: Labeling,
    split: str = "test",
    *,
    specificity: float = 0.9,
    bootstrap: int = 1000,
    seed: int = 0,
    examples: int = 2,
    network: Callable[[], Any] | None = None,
) -> DecisionEvaluation:
    """Score the decisions of a pipeline on a split.

    Args:
        pipeline: Classifier, and the segmenter whose masks are tried too where there is one.
        dataset: With labels.
        labeling: What they say.
        split: To score.
        specificity: At which sensitivity is asked for.
        bootstrap: Data sets drawn for the intervals.
        seed: Of the drawing.
        examples: Bags drawn of each of best, median and worst.
        network: Gives the Keras model of the classifier, for heat maps; `None` draws none.

    Raises:
        DataError: If nothing can be decided on, or a label is missing.
    """
    segmenter = None
    if pipeline.segmenter is not None:
        segmenter = _Remembering(pipeline.segmenter)
    samples = [s for s in dataset.of(split) if s.masks and _counts(labeling, s)]
    bags, skipped = _gather(pipeline, segmenter, dataset, labeling, samples)
    if not bags:
        reason = skipped[0].reason if skipped else "there is no labeled sample in it"
        raise DataError(f"The split {split} has nothing to decide on; the first reason: {reason}")
    card = pipeline.classifier.card
    decisions = pipeline.classifier([bag.regions for bag in bags])
    guessed = iter(pipeline.classifier([bag.guesses for bag in bags if bag.guesses]))
    decided = []
    for bag, decision in zip(bags, decisions, strict=True):
        guess = next(guessed) if bag.guesses else None
        decided.append(_decided(bag, decision, guess))
    segmentation, warnings = _segmented(segmenter, dataset, split, bootstrap, seed)
    found = DecisionEvaluation(
        names=card.names,
        unit=card.unit,
        data=dataset.root,
        split=split,
        decided=tuple(decided),
        skipped=tuple(skipped),
        temperature=card.temperature,
        threshold=card.threshold,
        specificity=specificity,
        has_predicted=segmenter is not None,
        segmentation=segmentation,
        warnings=tuple(warnings),
        card=card,
        draws=bootstrap,
        seed=seed,
    )
    model = network() if network else None
    drawn = [
        _example(rank, bags[place], found, place, decisions[place], dataset, pipeline, model)
        for rank, place in ranked(found.rightness, examples)
    ]
    return replace(found, examples=tuple(drawn))


def _counts(labeling: Labeling, sample: Sample) -> bool:
    """Whether a sample's label is one that is decided on."""
    return labeling.source != "image" or labeling.targets.get(sample.label or "", 0) is not None


def _gather(
    pipeline: Pipeline,
    segmenter: _Remembering | None,
    dataset: DataSet,
    labeling: Labeling,
    samples: Sequence[Sample],
) -> tuple[list[_Bag], list[Skipped]]:
    """Bags of true regions, each with those that the segmenter finds."""
    unit = pipeline.classifier.card.unit
    bags: dict[str, _Bag] = {}
    skipped: list[Skipped] = []
    with progress("Deciding", len(samples)) as advance:
        for sample in samples:
            try:
                regions, guesses = _look(pipeline, segmenter, dataset, sample)
                if not regions:
                    raise DataError(f"{sample.image} has no region; nothing in it can be decided.")
            except DataError as error:
                skipped.append(Skipped(sample, str(error)))
                continue
            finally:
                advance(1)
            labels = labeling.targets_of(sample, regions)
            for region, label in zip(regions, labels, strict=True):
                if label is None:
                    continue
                key = {"region": region.name, "image": sample.id, "case": sample.case}[unit]
                bag = bags.setdefault(key, _Bag(key, sample.together, label, [], [], []))
                bag.label = max(bag.label, label)
                bag.regions.append(region)
                if unit == "region":
                    bag.samples, bag.guesses = [sample], _nearest(region, guesses)
                elif not bag.samples or bag.samples[-1] is not sample:
                    bag.samples.append(sample)
                    bag.guesses += guesses
    return list(bags.values()), skipped


def _look(
    pipeline: Pipeline, segmenter: _Remembering | None, dataset: DataSet, sample: Sample
) -> tuple[list[Region], list[Region]]:
    """True regions of a sample, and those of the segmenter's mask."""
    image = dataset.read_image(sample)
    mask, background = read_region_mask(dataset, sample, pipeline.classifier.card.regions)
    regions = pipeline.regions(image, mask, sample.id, background)
    if segmenter is None:
        return regions, []
    drawn = segmenter(image, flips=pipeline.flips)
    return regions, pipeline.regions(image, drawn, sample.id)


def _nearest(region: Region, guesses: Sequence[Region]) -> list[Region]:
    """The predicted region that stands for a true one, if any does."""
    overlaps = [region_iou(region, guess) for guess in guesses]
    if not overlaps or max(overlaps) <= MIN_IOU:
        return []
    return [guesses[int(np.argmax(overlaps))]]


def _decided(bag: _Bag, decision: Decision, guess: Decision | None) -> BagDecision:
    return BagDecision(
        id=bag.id,
        case=bag.case,
        label=bag.label,
        images=tuple(sample.id for sample in bag.samples),
        regions=tuple(region.name for region in bag.regions),
        weights=decision.weights,
        logit=decision.logit,
        predicted_logit=None if guess is None else guess.logit,
        predicted_regions=tuple(region.name for region in bag.guesses),
        predicted_weights=None if guess is None else guess.weights,
    )


def _segmented(
    segmenter: _Remembering | None, dataset: DataSet, split: str, bootstrap: int, seed: int
) -> tuple[Evaluation | None, list[str]]:
    """Scores of the masks themselves, where their classes are those of the data."""
    if segmenter is None:
        return None, []
    try:
        return evaluate(segmenter, dataset, split, bootstrap=bootstrap, seed=seed, examples=0), []
    except DataError as error:
        return None, [f"The segmenter's masks have no scores of their own: {error}"]


def _example(
    rank: str,
    bag: _Bag,
    found: DecisionEvaluation,
    place: int,
    decision: Decision,
    dataset: DataSet,
    pipeline: Pipeline,
    model: Any,
) -> DecisionExample:
    """The image with the region that weighs most, and that region by itself."""
    heaviest = int(np.argmax(decision.weights))
    region = bag.regions[heaviest]
    sample = next(s for s in bag.samples if s.id == region.image_id)
    card = pipeline.classifier.card
    own = [k for k, one in enumerate(bag.regions) if one.image_id == sample.id]
    picture = as_picture(dataset.read_image(sample))
    drawn = draw_decisions(
        picture,
        [bag.regions[k] for k in own],
        decision.region_probabilities[own].tolist(),
        card.threshold,
        decision.weights[own].tolist() if card.unit != "region" else None,
    )
    panels = [("Image", _shown(picture)), ("True mask", _shown(drawn))]
    if found.has_predicted:
        guesses = [guess for guess in bag.guesses if guess.image_id == sample.id]
        alone = [one.probability for one in pipeline.classifier([[guess] for guess in guesses])]
        drawn = draw_decisions(picture, guesses, alone, card.threshold)
        panels.append(("Predicted mask", _shown(drawn)))
    crop, mask, vector = row(region)
    panels.append(("Region", _shown(as_picture(crop))))
    if model is not None:
        inputs = as_inputs([crop], [mask], [vector], [0], card.outside, card.value_range[1])
        heat = heat_map(model, inputs)[0]
        panels.append(("Heat", _shown(draw_heat(as_picture(crop), heat, mask.astype(bool)))))
    names, label = found.names, bag.label
    told = f"{names[label]} · probability of {names[1]} {found.probabilities[place]:.3f}"
    if found.has_predicted:
        told += f", with predicted masks {found.predicted_probabilities[place]:.3f}"
    if len(bag.regions) > 1:
        told += f" · {region.name} weighs {decision.weights[heaviest]:.0%}"
    return DecisionExample(panels=tuple(panels), title=bag.id, text=told, rank=rank)


def _shown(picture: np.ndarray) -> np.ndarray:
    scale = _SHOWN_PX / max(picture.shape[:2])
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    return resize_image(np.ascontiguousarray(picture), (height, width))
