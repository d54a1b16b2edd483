"""A data set of masks in memory and a model of one line."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from maskwright.data.cases.known import KnownImages
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.inference import Prediction
from maskwright.labels import IGNORE_LABEL, Labels
from maskwright.model_card import SemanticCard

LABELS = Labels.create(["background", "cell"])


def make_card(**changes) -> SemanticCard:
    values = {"labels": LABELS, "channels": 1, "dtype": "uint8", "size": None, "tile": None}
    known = {"threshold": None, "model_sha256": "0", "version": "0", "data": ""}
    return SemanticCard(**{**values, **known, **changes})


@dataclass
class MemoryMasks:
    """A data set in memory: masks by id; the image is the mask, 0 where it is ignored."""

    masks: dict[str, list[list[int]] | None]
    labels: Labels = LABELS
    root: Path = Path("memory")
    multilabel: bool = False
    case_from: str = "name"
    samples: tuple[Sample, ...] = ()
    known: KnownImages = field(default_factory=KnownImages)

    def content_hash(self, sample):
        return sample.id

    def is_learned(self, _):
        return False

    def of(self, split):
        names = self.masks
        return [Sample(name, Path(f"{name}.png"), (), name.split("-")[0], split) for name in names]

    def read(self, sample):
        if self.masks[sample.id] is None:
            raise DataError(f"{sample.image} is empty.")
        mask = np.array(self.masks[sample.id], np.int32)
        return np.where(mask == IGNORE_LABEL, 0, mask).astype(np.uint8)[..., None], mask


class AllCell:
    """Predicts a cell everywhere."""

    def __init__(self, card: SemanticCard | None = None):
        self.card = card or make_card()
        self.seen = []

    def __call__(self, image, *, flips=False):
        self.seen.append(image.shape)
        return Prediction(np.ones(image.shape[:2], np.int32))


MASKS = {
    "a-1": [[1, 1], [1, 1]],
    "a-2": [[1, 0], [0, 0]],
    "b-1": [[1, 1], [0, IGNORE_LABEL]],
    "c-1": [[IGNORE_LABEL, IGNORE_LABEL]],
}
