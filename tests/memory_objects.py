"""Images of single objects without files, and a model that detects most of them."""

import numpy as np

from maskwright.data.cases.known import KnownImages
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL, Labels
from maskwright.model_card import InstanceCard

LABELS = Labels.create(("background", "cell"))
CARD = InstanceCard(
    labels=LABELS, method="mask_rcnn", size=None, tile=None, channels=1, dtype="uint8",
    model_sha256="", version="", data="",
)  # fmt: skip


class MemoryObjects:
    """Images of which each holds its own number of squares, and a broken one."""

    gap, ignored = None, np.zeros((24, 64), bool)
    samples, case_from, known = (), "name", KnownImages()

    def content_hash(self, sample):
        return sample.id

    def __init__(self, root, counts):
        self.root, self.labels = root, LABELS
        self.counts = dict(zip("abcdefgh", counts, strict=False))

    def is_learned(self, _):
        return False

    def of(self, split):
        names = [*self.counts, "broken"]
        return [Sample(name, self.root / f"{name}.png", (), name, split) for name in names]

    def read_image(self, sample):
        if sample.id == "broken":
            raise DataError(f"{sample.image} is broken.")
        image = np.zeros((24, 64, 1), np.uint8)
        for place in range(self.counts[sample.id]):
            image[4:14, 10 * place + 1 : 10 * place + 9] = 10 * place + 10
        return image

    def read_with_gaps(self, sample):
        labels = np.where(self.ignored, IGNORE_LABEL, 0)
        return self.read_image(sample), labels, self.gap

    def read_objects(self, sample):
        return Instances.from_ids(self.read_image(sample)[..., 0])


class MostFound:
    """Finds all but the first object, surely, and one that is not there, unsurely."""

    def __init__(self, card=CARD):
        self.card = card

    def predict_all(self, image):
        true = Instances.from_ids(image[..., 0])
        ghost = np.zeros(true.size, bool)
        ghost[18:23, 50:60] = True
        masks = [true.mask(place) for place in range(1, len(true))]
        scores = [0.9] * len(masks) + [0.3]
        return Instances.from_masks([*masks, ghost], true.size, scores=scores)

    def confident(self, objects):
        return objects.at_least(self.card.score)
