"""Numbers of objects in a mask that was corrected."""

import cv2
import numpy as np

from maskwright.inference.postprocess import OBJECTS, components_of
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL
from maskwright.serving.limits import check_deadline


def renumber_objects(labels: np.ndarray, objects: Instances, stroked: np.ndarray) -> np.ndarray:
    """Number of the object of each pixel, int32 `(h, w)`, of a mask that was corrected.

    An object that was cut into more components than it had is one object for each; the largest
    keeps its number. A component that was drawn elsewhere belongs to the object of its class that
    it touches most; it is a new object if it touches none.

    Args:
        labels: Classes uint8 `(h, w)`, background 0.
        objects: As they were before the strokes.
        stroked: Where there are strokes, bool `(h, w)`.
    """
    foreground = (labels != 0) & (labels != IGNORE_LABEL)
    before = objects.ids()
    same_class = np.append(0, objects.labels)[before] == labels
    ids = np.where(foreground & (same_class | ~stroked), before, 0)
    number = len(objects)
    for place in np.unique(before[(ids != before)]).tolist():
        check_deadline()
        top, left, bottom, right = objects.boxes[place - 1]
        window = np.s_[top:bottom, left:right]
        was = components_of(before[window] == place, OBJECTS)[0]
        count, components, statistics, _ = components_of(ids[window] == place, OBJECTS)
        if count > was:
            largest = 1 + statistics[1:, cv2.CC_STAT_AREA].argmax()
            for component in range(1, count):
                if component != largest:
                    number += 1
                    ids[window][components == component] = number
    fresh = foreground & (ids == 0)
    for label in np.unique(labels[fresh]).tolist():
        count, components, statistics, _ = components_of(fresh & (labels == label), OBJECTS)
        for component, box in zip(range(1, count), statistics[1:].tolist(), strict=True):
            check_deadline()
            left, top, width, height = box[:4]
            rows = slice(max(0, top - 1), top + height + 1)
            window = (rows, slice(max(0, left - 1), left + width + 1))
            inside = components[window] == component
            near = cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
            touched = ids[window][near & ~inside & (labels[window] == label)]
            touched = touched[touched > 0]
            if touched.size:
                ids[window][inside] = np.bincount(touched).argmax()
            else:
                number += 1
                ids[window][inside] = number
    return ids
