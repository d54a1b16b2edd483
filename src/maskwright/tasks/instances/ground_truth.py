"""What models of single objects require of a data set, and the ground truth of its images."""

import numpy as np

from maskwright.data import DataSet, Sample
from maskwright.errors import DataError
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL


def require_objects(dataset: DataSet) -> None:
    """Raise `DataError` unless the masks tell objects apart, and the first class is background."""
    dataset.require_instances()
    if dataset.labels.background != 0:
        raise DataError(
            f"Expected a background as the first class, beside the classes of objects; the "
            f"classes of {dataset.root} are {', '.join(dataset.labels.names)}: name the first "
            f"background in data.yaml."
        )


def read_truth(dataset: DataSet, sample: Sample) -> tuple[np.ndarray, Instances]:
    """Image and true objects of a sample, crowds of COCO among them; raises as `DataSet.read`.

    Where the image has no data, and where pixels without an object are ignored, lies a crowd of
    each class, so that predictions there do not count.
    """
    image, labels, gap = dataset.read_with_gaps(sample)
    truth = dataset.read_objects(sample)
    ignored = labels == IGNORE_LABEL
    if truth.size == ignored.shape:
        ignored &= truth.ids() == 0
        if gap is not None:
            ignored |= gap
        if ignored.any():
            truth = truth.with_crowds(ignored, dataset.labels.num_classes)
    return image, truth
