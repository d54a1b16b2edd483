"""An image at its own scale, in panels of tiles that are kept as they are done."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from maskwright.data.geometry import cut_image
from maskwright.data.parallel import in_threads
from maskwright.errors import DataError, MaskwrightError
from maskwright.imageio.gaps import fill_gaps
from maskwright.imageio.windows import Windows
from maskwright.inference.folder_plan import Advance
from maskwright.inference.large.partial_mask import LargeOptions, PartialMask, Pieces
from maskwright.inference.pixels import scale_stated
from maskwright.inference.predictor import Predictor, decide_pixels
from maskwright.inference.tiling import TileGrid, blend
from maskwright.labels import IGNORE_LABEL

_SAMPLED_WINDOWS, _SAMPLED_SIDE = 8, 64  # across and down, and their side in px
_MEMORY_WORDS = (
    *("bad allocation", "bad_alloc", "failed to allocate", "cannot allocate memory"),
    *("out of memory", "insufficient memory", "unable to allocate", "resource_exhausted"),
)


@dataclass(frozen=True)
class PanelSource:
    """What a function that predicts panels needs.

    Args:
        layers: Where labels go: of overlapping classes one for each, else one for all.
    """

    predictor: Predictor
    windows: Windows
    layers: tuple[Pieces, ...]
    options: LargeOptions

    def done(self, left: int) -> int:
        """Rows, from the top, of which the pieces beginning at a column are there."""
        return self.layers[0].done(left)  # which are stored last


def predict_panels(source: PanelSource, partial_mask: PartialMask, advance: Advance) -> None:
    """Predict all panels at the scale of the image, in smaller tiles where memory runs out.

    `advance` is called with the number of rows of the whole image that were done.
    """
    windows = source.windows
    size = (windows.height, windows.width)
    for columns in zip(partial_mask.panels[:-1], partial_mask.panels[1:], strict=True):
        share = (columns[1] - columns[0]) / windows.width

        def move(rows: float, share: float = share) -> None:
            advance(rows * share)

        move(source.done(columns[0]))
        while (done := source.done(columns[0])) < windows.height:
            grid = TileGrid.over(size, partial_mask.tile).within(done, columns)
            try:
                _predict_panel(source, grid, columns, move)
                break
            except Exception as error:  # engines raise errors of their own
                if not out_of_memory(error):
                    raise
                if source.options.exact:
                    raise DataError(
                        f"Memory does not suffice for tiles of {partial_mask.tile} px; smaller "
                        f"ones would change the probabilities. Close other programs."
                    ) from error
            # Behind the handler, where what the tiles held is free again.
            partial_mask.shrink_tile(source.options.on_message)


def _predict_panel(
    source: PanelSource, grid: TileGrid, columns: tuple[int, int], advance: Advance
) -> None:
    """Predict what is not done yet of some columns: one band read ahead, one stored behind."""
    predictor, options = source.predictor, source.options
    left, right = (column - grid.lefts[0] for column in columns)
    done = source.done(columns[0])
    gaps: deque[np.ndarray | None] = deque()
    bands = _bands(source.windows, grid, gaps)
    storing: Future[None] | None = None
    with (
        closing(in_threads(lambda _: next(bands), grid.tops, None, workers=1, ahead=2)) as ahead,
        ThreadPoolExecutor(1) as behind,
    ):

        def probabilities(tiles: np.ndarray) -> np.ndarray:
            return predictor.probabilities(scale_stated(tiles, predictor.card), options.flips)

        strips = blend(probabilities, ahead, grid, options.batch_size)
        for top, strip in zip(grid.tops, strips, strict=True):
            gap = gaps.popleft()
            # Rows that are done are predicted again where tiles of the next rows reach into them.
            part = np.s_[max(0, done - top) :, left:right]
            if not len(strip[part]):
                continue
            if storing is not None:
                storing.result()
            gap = None if gap is None else gap[part]
            storing = behind.submit(
                store_labels, source, max(done, top), columns[0], strip[part], gap
            )
            advance(len(strip[part]))
        if storing is not None:
            storing.result()


def _bands(
    windows: Windows, grid: TileGrid, gaps: deque[np.ndarray | None]
) -> Iterator[np.ndarray]:
    """Pixels under each row of tiles; where there is no data before the next goes into `gaps`."""
    left = grid.lefts[0]
    right = min(grid.lefts[-1] + grid.tile[1], windows.width)
    sides = (grid.tile[0], grid.lefts[-1] + grid.tile[1] - left)
    band = np.empty((0, right - left, windows.channels), windows.dtype)
    read, first = grid.tops[0], grid.tops[0]
    for top, end in zip(grid.tops, grid.ends, strict=True):
        bottom = min(top + grid.tile[0], windows.height)
        fresh = windows.read(read, bottom, left, right)
        band = np.concatenate([band[top - first :], fresh])
        read, first = bottom, top
        pixels, gap = fill_gaps(band, windows.nodata)
        gaps.append(None if gap is None else gap[: end - top])
        yield cut_image(pixels, 0, 0, sides)


def sampled_pixels(windows: Windows) -> np.ndarray:
    """Pixels `(n, 1, c)` of some windows, spread over an image, but for those of no data."""
    tops, lefts = (
        np.linspace(0, max(side - _SAMPLED_SIDE, 0), _SAMPLED_WINDOWS, dtype=int).tolist()
        for side in (windows.height, windows.width)
    )
    samples = []
    for top in dict.fromkeys(tops):
        for left in dict.fromkeys(lefts):
            bottom = min(top + _SAMPLED_SIDE, windows.height)
            right = min(left + _SAMPLED_SIDE, windows.width)
            pixels = windows.read(top, bottom, left, right)
            filled, gap = fill_gaps(pixels, windows.nodata)
            samples.append(filled.reshape(-1, windows.channels) if gap is None else filled[~gap])
    return np.concatenate(samples)[:, None]


def store_labels(
    source: PanelSource, top: int, left: int, probabilities: np.ndarray, gap: np.ndarray | None
) -> None:
    """Store the labels of probabilities `(rows, columns, classes)`, but for `gap` without data."""
    card = source.predictor.card
    if source.options.on_probabilities is not None:
        source.options.on_probabilities(top, left, probabilities, gap)
    labels = decide_pixels(probabilities, card)
    if gap is not None:
        labels[gap] = IGNORE_LABEL
    planes = np.moveaxis(np.atleast_3d(labels), -1, 0)
    for layer, plane in reversed(list(zip(source.layers, planes, strict=True))):
        layer.put(top, left, plane)


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out, whichever engine raised it."""
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return True
    text = str(error).lower()
    return not isinstance(error, MaskwrightError) and any(word in text for word in _MEMORY_WORDS)
