"""Bags of regions on their way through an evaluation: filled image by image, decided, packed."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from maskwright.data.samples import Sample
from maskwright.evaluation.loop import pack
from maskwright.tasks.regions.classifier import MAX_BATCH_REGIONS, Classifier, Decision
from maskwright.tasks.regions.evaluation.scores import BagDecision
from maskwright.tasks.regions.extraction.extract import Region


@dataclass
class OpenBag:
    """A bag whose regions, with crops, are still being collected; fields as in `BagDecision`."""

    id: str
    case: str
    label: int = 0
    samples: list[Sample] = field(default_factory=list)
    true: list[Region] = field(default_factory=list)
    predicted: list[Region] = field(default_factory=list)


@dataclass(frozen=True)
class PackedBag:
    """A complete bag without the pixels of its regions.

    The lists in `bag` are empty; `true` and `predicted` name their regions, and `outlines`, from
    `pack`, are the predicted ones with masks and boxes alone.
    """

    bag: OpenBag
    true: tuple[str, ...]
    predicted: tuple[str, ...]
    outlines: bytes

    @classmethod
    def of(cls, bag: OpenBag) -> "PackedBag":
        """Pack a complete bag."""
        outlines = [replace(region, crop=None, crop_mask=None) for region in bag.predicted]
        return cls(
            replace(bag, true=[], predicted=[]),
            tuple(region.name for region in bag.true),
            tuple(region.name for region in bag.predicted),
            pack(outlines),
        )

    def decided(self, true: Decision, predicted: Decision | None) -> BagDecision:
        """The bag with its decisions."""
        return BagDecision(
            id=self.bag.id,
            case=self.bag.case,
            label=self.bag.label,
            images=tuple(sample.id for sample in self.bag.samples),
            regions=self.true,
            weights=true.weights,
            logit=true.logit,
            predicted_logit=None if predicted is None else predicted.logit,
            predicted_regions=self.predicted,
            predicted_weights=None if predicted is None else predicted.weights,
        )


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
        if self._waiting and waiting + len(regions) > MAX_BATCH_REGIONS:
            self.flush()
        self._waiting[name] = regions

    def flush(self) -> None:
        """Decide on all bags that wait."""
        decisions = self.classifier(list(self._waiting.values()))
        self.decisions.update(zip(self._waiting, decisions, strict=True))
        self._waiting = {}
