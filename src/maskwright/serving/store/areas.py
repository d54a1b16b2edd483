"""Areas of the classes of a mask of the page, as rows of a table."""

from typing import Any

import numpy as np

from maskwright.inference.postprocess import OBJECTS, components_of
from maskwright.labels import IGNORE_LABEL
from maskwright.serving.store.upload import Upload

Rows = list[dict[str, Any]]


def area_rows(upload: Upload, labels: np.ndarray, max_pixels: int) -> Rows:
    """Area in px, share of what is not ignored, and number of components or objects by class."""
    if not upload.card.overlapping:
        return layer_rows("", upload, labels, max_pixels)
    return [
        layer_rows(name, upload, labels, max_pixels)[1] | {"label": place}
        for place, name in enumerate(upload.layers)
    ]


def layer_rows(name: str, upload: Upload, labels: np.ndarray, _: int) -> Rows:
    """Rows of a layer, that of its background first, or of the only mask; `ConfigError` if none."""
    mask = upload.layer(name)
    plane = labels[..., list(upload.layers).index(name)] if name else labels
    objects = mask.objects(plane)
    total = max(int(np.count_nonzero(plane != IGNORE_LABEL)), 1)
    rows = []
    for label, title in enumerate(mask.layer.labels.names):
        inside = plane == label
        area, number = int(np.count_nonzero(inside)), None
        if label != mask.layer.background and objects is None:
            number = components_of(inside, OBJECTS)[0] - 1
        elif label != mask.layer.background and objects is not None:
            number = int(np.count_nonzero(objects.labels == label))
        row = {"label": label, "class": title, "area_px": area, "share": f"{area / total:.6f}"}
        rows.append(row | {"components" if objects is None else "objects": number})
    return rows
