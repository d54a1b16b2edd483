"""A mask of any size that is not done yet: how it is made, and the folder that is kept of it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskwright.errors import DataError
from maskwright.imageio import MAX_PIXELS, atomic_write
from maskwright.imageio.windows import Windows
from maskwright.inference.predictor import Flips, Predictor
from maskwright.inference.tiling import PAD_MULTIPLE
from maskwright.types import OnMessage, ignore_message

_TILE = 512  # px, of models that would run every image whole
_LEAST_TILE = 64
_PANEL_BYTES = 2**27  # of pixels and probabilities of a row of tiles; wider ones are cut

Advance = Callable[[float], None]
"""Called with what was done."""


@dataclass(frozen=True)
class LargeOptions:
    """How an image is predicted by windows.

    Args:
        flips: As in `Predictor.__call__`.
        max_pixels: Limit of formats that can only be decoded whole.
        advance: Called with the share of the image that was done; `None` draws a bar of rows.
        on_message: Called with a sentence where memory ran out and tiles became smaller, and where
            components were too large to be cleaned.
        on_probabilities: Called with the first row and column of each part that is predicted, and
            its probabilities `(h, w, classes)` before threshold and post-processing, by one thread
            at a time; after a kill, not for the parts that were done.
    """

    flips: Flips = False
    batch_size: int = 4
    max_pixels: int = MAX_PIXELS
    advance: Advance | None = None
    on_message: OnMessage = ignore_message
    on_probabilities: Callable[[int, int, np.ndarray], None] | None = None


@dataclass
class PartialMask:
    """The folder of a mask that is not done yet.

    Args:
        panels: Columns at which the image is cut into panels, each done from top to bottom, so
            that memory does not depend on the width: 0, …, the width.
        tile: Side of the tiles, px, from now on.
    """

    folder: Path
    made_of: str
    panels: tuple[int, ...]
    tile: int

    @classmethod
    def begin(
        cls, mask: Path, made_of: str, windows: Windows, predictor: Predictor
    ) -> "PartialMask":
        """Continue what is there of the same mask, or start anew."""
        folder = mask.with_name(f".{mask.name}.partial")
        try:
            values = json.loads((folder / "state.json").read_text(encoding="utf-8"))
            if values["made_of"] == made_of and predictor.card.size is None:
                return cls(folder, made_of, tuple(values["panels"]), values["tile"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # none, or one that was never finished
        shutil.rmtree(folder, ignore_errors=True)
        tile = predictor.card.tile or _TILE
        # Three bands of pixels are there at a time: read ahead, read, and being run.
        read_bytes = 3 * windows.channels * np.dtype(windows.dtype).itemsize
        predicted_bytes = predictor.card.labels.num_classes * np.dtype(np.float32).itemsize
        widest = max(8 * tile, _PANEL_BYTES // (tile * (read_bytes + predicted_bytes)))
        number = -(-windows.width // widest)
        panels = tuple(round(x) for x in np.linspace(0, windows.width, number + 1))
        partial_mask = cls(folder, made_of, panels, tile)
        partial_mask.write()
        return partial_mask

    def write(self) -> None:
        """Store the state besides the pieces."""
        values = {"made_of": self.made_of, "panels": self.panels, "tile": self.tile}
        with atomic_write(self.folder / "state.json") as beside:
            beside.write_text(json.dumps(values), encoding="utf-8")

    def shrink_tile(self, on_message: OnMessage) -> None:
        """Halve the tiles, which took too much memory; `DataError` where they are the smallest."""
        smaller = max(_LEAST_TILE, self.tile // 2 // PAD_MULTIPLE * PAD_MULTIPLE)
        if smaller >= self.tile:
            raise DataError(
                f"Memory does not suffice for tiles of {self.tile} px, the smallest; close other "
                f"programs, or take a smaller model."
            )
        on_message(
            f"Memory does not suffice for tiles of {self.tile} px; going on with {smaller} px, "
            f"which may change the mask a little."
        )
        self.tile = smaller
        self.write()
