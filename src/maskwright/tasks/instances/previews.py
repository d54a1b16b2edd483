"""What a run on objects shows while it trains: the same few images, true and found objects."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from maskwright.data.to_rgb import as_picture
from maskwright.imageio import write_image
from maskwright.instances import Instances
from maskwright.model_card import InstanceCard
from maskwright.tasks.instances.drawing import draw_objects
from maskwright.tasks.instances.open_detector import DetectorFn
from maskwright.tasks.instances.predictor import InstancePredictor
from maskwright.tasks.instances.targets import ObjectArrays
from maskwright.training import Run

Logs = dict[str, float] | None

PREVIEW_COLUMNS = ("image", "true objects", "found objects")
"""What `ObjectPreviews` draws side by side."""

_MOST_PX = 384  # of a side of what is drawn


class ObjectPreviews(keras.callbacks.Callback):
    """Image, true objects and found objects of the same few samples, drawn every epoch.

    Args:
        run: Its `previews` folder gets `epoch_0001.png` and so on.
        arrays: Samples to draw from; of large images, the middle.
        card: What the card will be, before thresholds are chosen.
        number: Of the samples drawn.
        ask: Function of a model, as `keras_detector` makes it.
    """

    def __init__(
        self,
        run: Run,
        arrays: ObjectArrays,
        card: InstanceCard,
        number: int,
        ask: Callable[[keras.Model], DetectorFn],
    ) -> None:
        super().__init__()
        self.run, self.card, self.ask = run, card, ask
        places = np.linspace(0, len(arrays) - 1, min(number, len(arrays))).round().astype(int)
        self.images: list[np.ndarray] = []
        self.shown: list[np.ndarray] = []
        for place in places:
            image, maps, _ = arrays[int(place)]
            middle = _middle(image.shape[:2])
            self.images.append(image[middle])
            picture = as_picture(image[middle])
            true = Instances.from_ids(maps[middle][..., 1].astype(np.int32))
            self.shown.append(np.hstack([picture, draw_objects(picture, true)]))

    def set_model(self, model: keras.Model) -> None:
        """Keep a function of the model."""
        super().set_model(model)
        self.finder = InstancePredictor(self.ask(model), self.card)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Find and draw."""
        rows = []
        for image, shown in zip(self.images, self.shown, strict=True):
            rows.append(np.hstack([shown, draw_objects(as_picture(image), self.finder(image))]))
        write_image(self.run.previews / f"epoch_{epoch + 1:04d}.png", _stacked(rows))


def _middle(size: Sequence[int]) -> tuple[slice, slice]:
    starts = [max((side - _MOST_PX) // 2, 0) for side in size]
    return slice(starts[0], starts[0] + _MOST_PX), slice(starts[1], starts[1] + _MOST_PX)


def _stacked(rows: Sequence[np.ndarray]) -> np.ndarray:
    wide = max(row.shape[1] for row in rows)
    return np.vstack([np.pad(row, ((0, 2), (0, wide - row.shape[1]), (0, 0))) for row in rows])
