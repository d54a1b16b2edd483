"""How far an exported model differs from the one it was made from."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np
from scipy.special import expit

from maskwright.errors import ModelError
from maskwright.export.ensemble import Logits
from maskwright.export.probabilities import activate
from maskwright.export.runtime import ClassifierFn, DetectorFn
from maskwright.instances import Instances
from maskwright.metrics.confusion import confusion, scores
from maskwright.metrics.instances import FN, FP, TP, tally_objects
from maskwright.model_card import InstanceCard, RegionCard, SemanticCard


class Finder(Protocol):
    """What finds objects with what a model says: `objects.ObjectFinder`."""

    def every(self, image: np.ndarray) -> Instances:
        """Objects of an image, down to the least score."""

    def maps(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What a head of centers says of an image."""

    def __call__(self, image: np.ndarray) -> Instances:
        """Objects of an image that the card asks for."""


PredictorFactory = Callable[[DetectorFn, InstanceCard], Finder]


@dataclass(frozen=True)
class ParityLimits:
    """What an exported model may differ by.

    Args:
        difference: Of a probability, a map or a score.
        agreement: Least share of pixels with the same label, of equal decisions, or of objects that
            both find.
        dice: Fall of the mean Dice.
    """

    difference: float
    agreement: float
    dice: float


FLOAT = ParityLimits(difference=1e-3, agreement=0.999, dice=0.001)
INT8 = ParityLimits(difference=1.0, agreement=0.0, dice=0.005)
OBJECTS = ParityLimits(difference=1e-3, agreement=0.98, dice=0.01)
"""Of single objects, of which one that lies on a threshold counts for many pixels."""


@dataclass(frozen=True)
class Parity:
    """What both make of the same images, or of the same bags of regions.

    Args:
        sizes: Heights and widths of the images; of bags, how many regions those of a batch have.
        images: Their number, or that of the bags.
        difference: Largest of two probabilities, of two values of a map, or of two scores.
        agreement: Share of pixels with the same label, of bags with the same decision, or of
            objects that both find, with a class and an overlap of more than 0.5.
        dice_change: Mean Dice of the exported model less that of the other, against the true masks
            of those images that have one; or, where none has, its mean Dice against the labels of
            the other less 1. `None` for decisions.
        against: `"masks"` or `"model"`: what Dice was taken against; `None` without Dice.
        agreement_of: `"labels"`, `"decisions"` or `"objects"`: what agrees.
        compared: Number of these.
    """

    sizes: tuple[tuple[int, ...], ...]
    images: int
    difference: float
    agreement: float
    dice_change: float | None = None
    against: str | None = None
    agreement_of: str = "labels"
    compared: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def told(self) -> str:
        """One sentence on all of it."""
        if self.agreement_of == "decisions":
            where = f"{self.images} bags of {min(map(min, self.sizes))} to "
            where += f"{max(map(max, self.sizes))} regions"
        else:
            sizes = " and ".join("x".join(map(str, size)) for size in self.sizes[:4])
            where = f"{self.images} images of {sizes} px"
        parts = [
            f"by at most {self.difference:.1e} in a "
            + ("map or a score" if self.agreement_of == "objects" else "probability"),
            f"in {1 - self.agreement:.4%} of the {self.compared:,} {self.agreement_of}",
        ]
        if self.dice_change is not None:
            parts.append(f"by {self.dice_change:+.5f} in Dice")
        listed = ", ".join(parts[:-1]) + " and " + parts[-1]
        return f"On {where} it differs from the run {listed}."

    def within(self, limits: ParityLimits) -> bool:
        """Whether the difference is allowed."""
        return (
            self.difference <= limits.difference
            and self.agreement >= limits.agreement
            and (self.dice_change is None or self.dice_change >= -limits.dice)
        )

    def require(self, limits: ParityLimits, engine: str) -> None:
        """Raise `ModelError` with what is beyond the limits."""
        if not self.within(limits):
            dice = "" if self.dice_change is None else f", and {-limits.dice:g} in Dice"
            raise ModelError(
                f"The model in {engine} is not what it was made from, and is not written. "
                f"{self.told()} Allowed are {limits.difference:g} and "
                f"{1 - limits.agreement:.2%}{dice}: choose another format."
            )


def measure(
    model: Logits,
    exported: Logits,
    card: SemanticCard,
    images: Iterable[tuple[np.ndarray, np.ndarray | None]],
) -> Parity:
    """Compare two functions from images to logits.

    Args:
        model: The one it was made from.
        exported: The other.
        card: Of both.
        images: `(h, w, c)` float32 as the model takes them, and their true labels `(h, w)`, or
            `None`.
    """
    num_classes = max(card.labels.num_classes, 2)
    # Of both models, without true masks and with them.
    table = np.zeros((2, 2, num_classes, num_classes), np.int64)
    sizes: dict[tuple[int, int], None] = {}
    largest, same, pixels, number, with_masks = 0.0, 0, 0, 0, 0
    for image, true in images:
        shape = (1, image.shape[0], image.shape[1])
        first, second = (activate(run(image[None]), shape, card)[0] for run in (model, exported))
        largest = max(largest, float(np.abs(first - second).max()))
        labels = [values.argmax(-1) for values in (first, second)]
        same += int((labels[0] == labels[1]).sum())
        pixels += labels[0].size
        sizes[image.shape[0], image.shape[1]] = None
        number += 1
        with_masks += true is not None
        wanted = labels[0] if true is None else true
        for place in (0, 1):
            table[place, int(true is not None)] += confusion(wanted, labels[place], num_classes)
    dice = [float(scores(counts[int(with_masks > 0)]).mean_dice) for counts in table]
    return Parity(
        sizes=tuple(sizes),
        images=number,
        difference=largest,
        agreement=same / max(pixels, 1),
        dice_change=dice[1] - dice[0],
        against="masks" if with_masks else "model",
        compared=pixels,
    )


def measure_decisions(
    model: ClassifierFn,
    exported: ClassifierFn,
    card: RegionCard,
    bags: Iterable[Mapping[str, np.ndarray]],
) -> Parity:
    """Compare two classifiers.

    Args:
        model: The one it was made from.
        exported: The other.
        card: Of both.
        bags: Inputs of several batches of bags, as `models.classifiers` describes them.
    """
    sizes = []
    largest, same, number = 0.0, 0, 0
    for inputs in bags:
        first, second = (probabilities(run(inputs), card) for run in (model, exported))
        largest = max(largest, *(float(np.abs(first[n] - second[n]).max()) for n in first))
        answers = [found["logits"] >= card.threshold for found in (first, second)]
        same += int((answers[0] == answers[1]).sum())
        number += len(answers[0])
        sizes.append(tuple(int(count) for count in inputs["bags"].sum(axis=1)))
    return Parity(
        sizes=tuple(sizes),
        images=number,
        difference=largest,
        agreement=same / max(number, 1),
        agreement_of="decisions",
        compared=number,
    )


def probabilities(told: Mapping[str, np.ndarray], card: RegionCard) -> dict[str, np.ndarray]:
    """What a classifier says, with probabilities in the place of logits."""
    return {
        name: values if name == "weights" else expit(values / card.temperature)
        for name, values in told.items()
    }


def measure_objects(
    model: DetectorFn,
    exported: DetectorFn,
    card: InstanceCard,
    images: Iterable[np.ndarray],
    find: PredictorFactory,
) -> Parity:
    """Compare two models of single objects.

    Args:
        model: The one it was made from.
        exported: The other.
        card: Of both.
        images: `(h, w, c)` float32 as the model takes them.
        find: Makes what finds objects of a model and a card.

    Raises:
        ModelError: If a Mask R-CNN finds no object in any image, so that there is nothing to see.
    """
    plain = replace(card, size=None, tile=None)  # images are as large as they are wanted
    finders = [find(say, plain) for say in (model, exported)]
    num_classes = card.labels.num_classes
    table = np.zeros((num_classes, num_classes), np.int64)
    counts = np.zeros(3, np.int64)
    sizes: dict[tuple[int, int], None] = {}
    largest, number = 0.0, 0
    for image in images:
        first, second = (finder.every(image) for finder in finders)
        counts += tally_objects(second, first, num_classes).counts[0].sum(axis=0)
        table += confusion(first.classes(), second.classes(), num_classes)
        pairs = [(first.scores, second.scores)]
        if card.method == "centers":
            pairs = list(zip(*(finder.maps(image) for finder in finders), strict=True))
        largest = max(largest, *(_apart(*pair) for pair in pairs))
        sizes[image.shape[0], image.shape[1]] = None
        number += 1
    both, more, fewer = (int(counts[column]) for column in (TP, FP, FN))
    found = both + fewer
    if card.method == "mask_rcnn" and not found:
        raise ModelError(
            "The model finds no object in drawn images, so that there is nothing to compare; give "
            "images that have some: --data DATA."
        )
    return Parity(
        sizes=tuple(sizes),
        images=number,
        difference=largest,
        agreement=2 * both / (2 * both + more + fewer) if both + more + fewer else 1.0,
        dice_change=float(scores(table).mean_dice) - 1,
        against="model",
        agreement_of="objects",
        compared=found,
    )


def _apart(first: np.ndarray | None, second: np.ndarray | None) -> float:
    """Largest difference of two maps, or of the scores of the surest objects that both have."""
    if first is None or second is None:
        return 0.0
    if first.ndim == 1:
        number = min(len(first), len(second))
        first, second = (np.sort(scores)[::-1][:number] for scores in (first, second))
    return float(np.abs(first - second).max(initial=0.0))
