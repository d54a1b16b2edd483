"""Files of a prediction: mask or layers, overlay, probabilities."""

import numpy as np

from maskwright.data.to_rgb import as_picture
from maskwright.errors import DataError
from maskwright.imageio import atomic_write, read_image, write_image, write_mask
from maskwright.inference.output_paths import Job
from maskwright.inference.prediction import Prediction
from maskwright.labels import Labels, layer_values

_OVERLAY_ROWS = 512  # drawn at once, because drawing takes many times the bytes of the image


def write_files(
    job: Job, prediction: Prediction, labels: Labels, image: np.ndarray | None, max_pixels: int
) -> None:
    """Write mask, overlay (over `image`, read again for `None`) and probabilities of the job."""
    try:
        for place, path in enumerate(job.layers):
            layer = prediction.labels[..., place]
            write_image(path, layer_values(layer))
        if not job.layers:
            write_mask(job.mask, prediction.labels, labels.colors)
        if job.overlay:
            picture = as_picture(read_image(job.image, max_pixels) if image is None else image)
            write_image(job.overlay, _overlay(picture, prediction.labels, labels))
        if job.probabilities and prediction.probabilities is not None:
            with atomic_write(job.probabilities) as beside:
                np.savez_compressed(
                    beside,
                    probabilities=prediction.probabilities.astype(np.float16),
                    names=np.array(labels.names),
                )
    except OSError as error:
        raise DataError(f"The results for {job.image} cannot be written: {error}.") from error


def _overlay(image: np.ndarray, mask: np.ndarray, labels: Labels) -> np.ndarray:
    """`Labels.overlay` in bands of rows, each with a row of its neighbors for the outlines."""
    overlay = np.empty_like(image)
    for top in range(0, len(image), _OVERLAY_ROWS):
        first, last = max(0, top - 1), top + _OVERLAY_ROWS + 1
        band = labels.overlay(image[first:last], mask[first:last])
        overlay[top : top + _OVERLAY_ROWS] = band[top - first :][:_OVERLAY_ROWS]
    return overlay
