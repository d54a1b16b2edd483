"""Classes that overlap: a layer of pixels for each, and a number for each combination of them."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.parallel import in_threads
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.labels import IGNORE_LABEL, Labels

_MAX_LAYERS = 62  # bits of a code, less the sign and the one of ignored pixels
_IGNORED = np.int64(1) << _MAX_LAYERS


def layer_labels(labels: Labels) -> Labels:
    """The classes that have a layer: all but the background."""
    places = [place for place in range(labels.num_classes) if place != labels.background]
    if not places:
        raise DataError(f"Expected a class beside {labels.names[0]}; there is none.")
    return Labels.create(
        [labels.names[place] for place in places], [labels.colors[place] for place in places]
    )


def read_layers(dataset: DataSet, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Image `(h, w, channels)` as `DataSet.read` gives it, and layers uint8 `(h, w, classes)`.

    Layers are 1 in the pixels of a class, `IGNORE_LABEL` where pixels are ignored; their classes
    are those of `layer_labels`. Files of single classes, and listed objects, may overlap; of other
    masks, a pixel has one class. `DataError` as `DataSet.read`.
    """
    image, labels = dataset.read(sample)
    return image, split_layers(dataset, sample, labels)


def split_layers(dataset: DataSet, sample: Sample, labels: np.ndarray) -> np.ndarray:
    """Layers of a sample as in `read_layers`; `labels` are those of its masks united."""
    names = layer_labels(dataset.labels).names
    places = [dataset.labels.names.index(name) for name in names]
    layers = (labels[..., None] == np.array(places)).astype(np.uint8)
    ignored = labels == IGNORE_LABEL
    if sample.classes:
        for path, name in zip(sample.masks, sample.classes, strict=True):
            if name in names:
                alone = replace(sample, masks=(path,), classes=(name,), field_of_view=None)
                mask = dataset.read_mask(alone)
                layers[mask == dataset.labels.names.index(name), names.index(name)] = 1
                ignored |= mask == IGNORE_LABEL
    elif sample.instances is not None:
        objects = dataset.read_objects(sample)
        objects = objects.take(~objects.crowd)
        for number, label in enumerate(objects.labels.tolist()):
            layers[objects.mask(number), places.index(label)] = 1
    layers[ignored] = IGNORE_LABEL
    return layers


def require_one_class(dataset: DataSet, purpose: str) -> DataSet:
    """The data set; `DataError` where its classes overlap, which a `purpose` has no way for."""
    if dataset.multilabel:
        raise DataError(
            f"The classes of {dataset.origin or dataset.root} overlap, and {purpose} needs one "
            f"class for each pixel; state under `overlap` in data.yaml the order in which they are "
            f"painted."
        )
    return dataset


@dataclass(frozen=True, eq=False)
class Combinations:
    """Numbers for the combinations of classes that pixels belong to.

    Args:
        codes: A bit for each class of each combination, int64 ascending.
        num_classes: Number of layers.
    """

    codes: np.ndarray
    num_classes: int

    @property
    def layers(self) -> np.ndarray:
        """Layers of each number, uint8 `(n, classes)`."""
        bits = self.codes[:, None] >> np.arange(self.num_classes)
        return (bits & 1).astype(np.uint8)

    def numbers(self, layers: np.ndarray) -> np.ndarray:
        """Numbers uint8 `(h, w)` of layers `(h, w, classes)`; `IGNORE_LABEL` where ignored."""
        codes = _codes(layers)
        numbers = np.searchsorted(self.codes, codes).astype(np.uint8)
        numbers[codes == _IGNORED] = IGNORE_LABEL
        return numbers


def find_combinations(dataset: DataSet, samples: Iterable[Sample]) -> Combinations:
    """All combinations of classes in the masks of samples; those that cannot be read are left out.

    `DataError` for more than 255 combinations, or 62 classes.
    """
    samples, num_classes = list(samples), layer_labels(dataset.labels).num_classes
    if num_classes > _MAX_LAYERS:
        raise DataError(
            f"{dataset.root} has {num_classes} classes that overlap; expected at most "
            f"{_MAX_LAYERS}: name fewer under `masks` in data.yaml."
        )
    found: set[int] = {0}
    for codes in in_threads(partial(_read_codes, dataset), samples, "Reading layers"):
        found |= codes
    found -= {int(_IGNORED)}
    if len(found) > IGNORE_LABEL:
        raise DataError(
            f"The classes of {dataset.root} overlap in {len(found):,} combinations; expected at "
            f"most {IGNORE_LABEL}: name fewer classes under `masks` in data.yaml."
        )
    return Combinations(np.array(sorted(found), np.int64), num_classes)


def _read_codes(dataset: DataSet, sample: Sample) -> set[int]:
    with suppress(DataError):  # told of where the sample is decoded
        return set(np.unique(_codes(read_layers(dataset, sample)[1])).tolist())
    return set()


def _codes(layers: np.ndarray) -> np.ndarray:
    """A bit for each class of each pixel, int64 `(h, w)`; `_IGNORED` where pixels are ignored."""
    codes = (layers == 1) @ (np.int64(1) << np.arange(layers.shape[-1]))
    return np.where(layers[..., 0] == IGNORE_LABEL, _IGNORED, codes)
