"""What the images of a split tell of the masks of each class: counts, features, Dice."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.errors import DataError
from maskwright.inference.prediction import Prediction
from maskwright.labels import IGNORE_LABEL
from maskwright.reliability.mask_quality import mask_features
from maskwright.reliability.nested_masks import THRESHOLDS, count_by_threshold

MOST_VALUES = 2**27
"""Most probabilities of an image that are looked at, half a gigabyte."""


@dataclass(frozen=True, kw_only=True)
class ObservedPrediction(Prediction):
    """A prediction, with its probabilities, and all else that promises and doubts are made from.

    Args:
        mirrored: Prediction of the mirror image, mirrored back; of a model that was trained without
            horizontal flips, the prediction itself.
        channel_means: Of the encoder, float32 `(d,)`; `None` where the network does not give them.
    """

    mirrored: Prediction
    channel_means: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class ClassObservations:
    """What was seen of the masks of one class; images are named by their places in the split.

    Args:
        held_by: Images whose truth holds the class, `(k,)`.
        counts: Their `count_by_threshold`, `(k, 2, m)`.
        seen_in: Images whose mask holds the class, `(q,)`: only such a mask is given a bound.
        features: Their `mask_features`, `(q, 3)`.
        dice: Dice of mask and truth in them, `(q,)`.
    """

    held_by: np.ndarray
    counts: np.ndarray
    seen_in: np.ndarray
    features: np.ndarray
    dice: np.ndarray


class Observations:
    """Observations of several classes, image after image.

    Args:
        labels: Label of each class, by its name.
    """

    def __init__(self, labels: Mapping[str, int]) -> None:
        self.labels = labels
        self.num_images = 0
        self._held: dict[str, list[tuple[int, np.ndarray]]] = {name: [] for name in labels}
        self._seen: dict[str, list[tuple[int, np.ndarray, float]]] = {name: [] for name in labels}
        self._channel_means: list[np.ndarray | None] = []

    def add(self, truth: np.ndarray, prediction: ObservedPrediction) -> None:
        """Observe one image; truth is labels `(h, w)`, or layers `(h, w, classes)`.

        Raises:
            DataError: If there are no probabilities, or they do not fit; nothing is kept then.
        """
        values, mirrored = prediction.probabilities, prediction.mirrored.probabilities
        if values is None or mirrored is None:
            raise DataError("Expected predictions with probabilities; received masks alone.")
        held, seen = {}, {}
        for name, label in self.labels.items():
            inside = class_mask(truth, label)
            ignored = (truth if truth.ndim == 2 else truth[..., label]) == IGNORE_LABEL
            masks = [class_mask(each.labels, label) for each in (prediction, prediction.mirrored)]
            if inside.any():
                held[name] = count_by_threshold(values[..., label], inside, ignored)
            both = inside.sum() + (masks[0] & ~ignored).sum()
            if both and masks[0].any():
                features = mask_features(values[..., label], mirrored[..., label], *masks)
                seen[name] = features, float(2 * (inside & masks[0]).sum() / both)
        for name, counts in held.items():
            self._held[name].append((self.num_images, counts.astype(np.uint32)))
        for name, (features, dice) in seen.items():
            self._seen[name].append((self.num_images, features, dice))
        self._channel_means.append(prediction.channel_means)
        self.num_images += 1

    def skip(self) -> None:
        """Pass over one image, of which nothing is known."""
        self._channel_means.append(None)
        self.num_images += 1

    def without(self, images: Collection[int]) -> "Observations":
        """The same but for some images, of which nothing is known."""
        rest = Observations(self.labels)
        rest.num_images = self.num_images
        rest._held = {k: [o for o in v if o[0] not in images] for k, v in self._held.items()}
        rest._seen = {k: [o for o in v if o[0] not in images] for k, v in self._seen.items()}
        rest._channel_means = [
            None if image in images else means for image, means in enumerate(self._channel_means)
        ]
        return rest

    def of(self, name: str) -> ClassObservations:
        """What was seen of a class."""
        held, seen = self._held[name], self._seen[name]
        return ClassObservations(
            held_by=np.array([image for image, _ in held], np.int64),
            counts=np.array([counts for _, counts in held]).reshape(-1, 2, THRESHOLDS.size),
            seen_in=np.array([image for image, _, _ in seen], np.int64),
            features=np.array([features for _, features, _ in seen]).reshape(-1, 3),
            dice=np.array([dice for _, _, dice in seen]),
        )

    @property
    def channel_means(self) -> np.ndarray | None:
        """Of all images, `(n, d)`, nan where skipped; `None` where the network gives none."""
        known = [means for means in self._channel_means if means is not None]
        if not known:
            return None
        nothing = np.full_like(known[0], np.nan)
        return np.array([nothing if means is None else means for means in self._channel_means])


def cases_of(images: np.ndarray, cases: Sequence[str]) -> list[str]:
    """Cases of images named by their places."""
    return [cases[image] for image in images.tolist()]


def class_mask(labels: np.ndarray, label: int) -> np.ndarray:
    """Mask of a class, of labels `(h, w)` or layers `(h, w, classes)`; bool."""
    mask: np.ndarray = labels == label if labels.ndim == 2 else labels[..., label] == 1
    return mask
