"""Previews of a run on instances: true and predicted objects of the same images, each epoch."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from maskwright.data.to_rgb import as_picture
from maskwright.imageio import write_image
from maskwright.instances import Instances
from maskwright.model_card import InstanceCard
from maskwright.tasks.instances.drawing import draw_objects
from maskwright.tasks.instances.learning.targets import ObjectArrays
from maskwright.tasks.instances.predictor import DetectorFn, InstancePredictor
from maskwright.training import Run

Logs = dict[str, float] | None

PREVIEW_COLUMNS = ("image", "true objects", "predicted")
"""What `ObjectPreviews` draws side by side."""

_MAX_SIDE_PX = 384  # of a preview


class ObjectPreviews(keras.callbacks.Callback):
    """Draws image, true and predicted objects of the same samples after each epoch.

    Args:
        run: Its `previews` folder gets `epoch_0001.png` and so on.
        arrays: Samples to choose from; of large images, the center is drawn.
        trace: From a model to its function, as `keras_detector`.
    """

    def __init__(
        self,
        run: Run,
        arrays: ObjectArrays,
        card: InstanceCard,
        number: int,
        trace: Callable[[keras.Model], DetectorFn],
    ) -> None:
        super().__init__()
        self.run, self.card, self.trace = run, card, trace
        indices = np.linspace(0, len(arrays) - 1, min(number, len(arrays))).round().astype(int)
        self.images: list[np.ndarray] = []
        self.truths: list[np.ndarray] = []
        for index in indices:
            image, maps, _ = arrays[int(index)]
            center = _center(image.shape[:2])
            self.images.append(image[center])
            picture = as_picture(image[center])
            true = Instances.from_ids(maps[center][..., 1].astype(np.int32))
            self.truths.append(np.hstack([picture, draw_objects(picture, true)]))

    def set_model(self, model: keras.Model) -> None:
        """Trace the model once."""
        super().set_model(model)
        self.predictor = InstancePredictor(self.trace(model), self.card)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Predict and draw."""
        rows = []
        for image, truth in zip(self.images, self.truths, strict=True):
            objects = self.predictor.kept(self.predictor.every(image))
            rows.append(np.hstack([truth, draw_objects(as_picture(image), objects)]))
        write_image(self.run.previews / f"epoch_{epoch + 1:04d}.png", _stacked(rows))


def _center(size: Sequence[int]) -> tuple[slice, slice]:
    starts = [max((side - _MAX_SIDE_PX) // 2, 0) for side in size]
    return slice(starts[0], starts[0] + _MAX_SIDE_PX), slice(starts[1], starts[1] + _MAX_SIDE_PX)


def _stacked(rows: Sequence[np.ndarray]) -> np.ndarray:
    width = max(row.shape[1] for row in rows)
    return np.vstack([np.pad(row, ((0, 2), (0, width - row.shape[1]), (0, 0))) for row in rows])
