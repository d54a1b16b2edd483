"""Large images and masks at a smaller size, read by bands."""

from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np

from maskwright.data.geometry import nearest_positions, shrink_bands
from maskwright.data.parallel import in_threads
from maskwright.imageio.gaps import fill_gaps
from maskwright.imageio.windows import Windows
from maskwright.inference.folder_plan import Advance

_BAND_PIXELS = 2**21  # of the image, read at once where it is shrunk
_PREVIEW_SIDE = 2048


def shrunk(
    windows: Windows, size: tuple[int, int], advance: Advance = lambda _: None
) -> np.ndarray:
    """The whole image at a smaller size."""
    rows = max(1, _BAND_PIXELS // windows.width)
    tops = range(0, windows.height, rows)

    def read(top: int) -> np.ndarray:
        return read_rows(windows, top, min(top + rows, windows.height))

    def counted(bands: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        for band in bands:
            advance(len(band))
            yield band

    with closing(in_threads(read, tops, None, workers=1, ahead=2)) as bands:
        return shrink_bands(counted(bands), (windows.height, windows.width), size)


def read_rows(windows: Windows, top: int, bottom: int) -> np.ndarray:
    """Pixels of whole rows, gaps filled."""
    pixels = windows.read(top, bottom, 0, windows.width)
    return fill_gaps(pixels, windows.nodata)[0]


def preview_size(size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the preview of an image of some size, px."""
    factor = min(1.0, _PREVIEW_SIDE / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def reduced(finished: Callable[[int, int], np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Labels of the preview of a mask of some size."""
    height, width = preview_size(size)
    columns = nearest_positions(size[1], width)
    rows = nearest_positions(size[0], height)
    return np.stack([finished(row, row + 1)[0][columns] for row in rows])
