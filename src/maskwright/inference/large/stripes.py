"""An image at its own scale, in panels of tiles that are kept as they are done."""

import json
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from maskwright.data.geometry import cut_image
from maskwright.data.parallel import in_threads
from maskwright.errors import DataError, MaskwrightError
from maskwright.imageio import atomic_write
from maskwright.imageio.windows import Windows
from maskwright.inference.large.mask_store import Pieces
from maskwright.inference.predictor import Flips, Predictor, most_probable
from maskwright.inference.tiling import PAD_MULTIPLE, Grid, blend
from maskwright.labels import IGNORE_LABEL

_TILE = 512  # px, of models that would run every image whole
_LEAST_TILE = 64
_PANEL_BYTES = 2**27  # of pixels and probabilities of a row of tiles; wider ones are cut

Seen = Callable[[int, int, np.ndarray], None]
"""Told of the first row and column of a part, and of its probabilities `(h, w, classes)`."""

_MEMORY_ERRORS = ("ResourceExhaustedError",)
_MEMORY_WORDS = (
    *("bad allocation", "bad_alloc", "failed to allocate", "cannot allocate memory"),
    *("out of memory", "insufficient memory", "unable to allocate", "resource_exhausted"),
)


@dataclass
class Work:
    """The folder of a mask that is not done yet.

    Args:
        folder: Beside the mask.
        made_of: Checksum of all that the labels depend on.
        panels: Columns at which the image is cut into panels, each done from top to bottom, so
            that memory does not depend on the width: 0, …, the width.
        tile: Side of the tiles, px, from now on.
    """

    folder: Path
    made_of: str
    panels: tuple[int, ...]
    tile: int

    @classmethod
    def begin(cls, mask: Path, made_of: str, windows: Windows, predictor: Predictor) -> "Work":
        """Take up what is there of the same mask, or begin anew.

        Where the model stretches images, there is little to take up: it is run once.
        """
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
        drawn_bytes = predictor.card.labels.num_classes * np.dtype(np.float32).itemsize
        widest = max(8 * tile, _PANEL_BYTES // (tile * (read_bytes + drawn_bytes)))
        number = -(-windows.width // widest)
        panels = tuple(round(x) for x in np.linspace(0, windows.width, number + 1))
        work = cls(folder, made_of, panels, tile)
        work.write()
        return work

    def write(self) -> None:
        """Remember how the work stands, besides the pieces."""
        values = {"made_of": self.made_of, "panels": self.panels, "tile": self.tile}
        with atomic_write(self.folder / "state.json") as beside:
            beside.write_text(json.dumps(values), encoding="utf-8")


def draw(
    predictor: Predictor,
    windows: Windows,
    labels: Pieces,
    work: Work,
    flips: Flips,
    batch_size: int,
    advance: Callable[[float], None],
    on_message: Callable[[str], None],
    seen: Seen | None = None,
) -> None:
    """Draw all panels at the scale of the image, in smaller tiles where memory runs out."""
    size = (windows.height, windows.width)
    for columns in zip(work.panels[:-1], work.panels[1:], strict=True):
        share = (columns[1] - columns[0]) / windows.width

        def move(rows: float, share: float = share) -> None:
            advance(rows * share)

        move(labels.done(columns[0]))
        while labels.done(columns[0]) < windows.height:
            grid = Grid.over(size, work.tile).within(labels.done(columns[0]), columns)
            work_on = partial(
                _draw_panel,
                predictor,
                windows,
                labels,
                grid,
                columns,
                flips,
                batch_size,
                move,
                seen,
            )
            if _fits(work_on):
                break
            smaller = max(_LEAST_TILE, work.tile // 2 // PAD_MULTIPLE * PAD_MULTIPLE)
            if smaller >= work.tile:
                raise DataError(
                    f"Memory does not suffice for tiles of {work.tile} px, the smallest; close "
                    f"other programs, or take a smaller model."
                )
            on_message(
                f"Memory does not suffice for tiles of {work.tile} px; going on with {smaller} px, "
                f"which may change the mask a little."
            )
            work.tile = smaller
            work.write()


def _draw_panel(
    predictor: Predictor,
    windows: Windows,
    labels: Pieces,
    grid: Grid,
    columns: tuple[int, int],
    flips: Flips,
    batch_size: int,
    move: Callable[[float], None],
    seen: Seen | None,
) -> None:
    """Draw what is not done yet of some columns: one band read ahead, one kept behind."""
    left, right = (column - grid.lefts[0] for column in columns)
    done = labels.done(columns[0])
    gaps: deque[np.ndarray | None] = deque()
    bands = _bands(windows, grid, gaps)
    keeping: Future[None] | None = None
    with (
        closing(in_threads(lambda _: next(bands), grid.tops, None, workers=1, ahead=2)) as ahead,
        ThreadPoolExecutor(1) as behind,
    ):
        strips = blend(partial(predictor.probabilities, flips=flips), ahead, grid, batch_size)
        for top, strip in zip(grid.tops, strips, strict=True):
            gap = gaps.popleft()
            # Rows that are done are drawn once more where tiles of the next ones reach into them.
            part = np.s_[max(0, done - top) :, left:right]
            if not len(strip[part]):
                continue
            if keeping is not None:
                keeping.result()
            gap = None if gap is None else gap[part]
            keeping = behind.submit(
                keep, predictor, labels, max(done, top), columns[0], strip[part], gap, seen
            )
            move(len(strip[part]))
        if keeping is not None:
            keeping.result()


def _bands(windows: Windows, grid: Grid, gaps: deque[np.ndarray | None]) -> Iterator[np.ndarray]:
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
        gap = no_data(band, windows.nodata)
        gaps.append(None if gap is None else gap[: end - top])
        yield cut_image(without_gaps(band, gap), 0, 0, sides)


def no_data(pixels: np.ndarray, nodata: float | None) -> np.ndarray | None:
    """Where all channels `(h, w, c)` hold the value for no data; `None` where there is none."""
    if nodata is None:
        return None
    same = np.isnan(pixels) if np.isnan(nodata) else pixels == pixels.dtype.type(nodata)
    gap: np.ndarray = same.all(axis=-1)
    return gap


def without_gaps(pixels: np.ndarray, gap: np.ndarray | None) -> np.ndarray:
    """Pixels as the model sees them: of float images, 0 where there is no data."""
    if gap is None or pixels.dtype.kind != "f":
        return pixels
    return np.where(gap[..., None], np.float32(0), pixels)


def keep(
    predictor: Predictor,
    labels: Pieces,
    top: int,
    left: int,
    probabilities: np.ndarray,
    gap: np.ndarray | None,
    seen: Seen | None = None,
) -> None:
    """Decide on the labels of some rows and keep them."""
    if seen is not None:
        seen(top, left, probabilities)
    found = most_probable(probabilities, predictor.card.threshold, predictor.card.background)
    if gap is not None:
        found[gap] = IGNORE_LABEL
    labels.put(top, left, found)


def _fits(work: Callable[[], None]) -> bool:
    """Whether memory sufficed for some work; what it held is free again when this returns."""
    try:
        work()
    except Exception as error:  # engines raise errors of their own
        if not out_of_memory(error):
            raise
        return False
    return True


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out, whichever engine raised it."""
    if isinstance(error, MemoryError) or type(error).__name__ in _MEMORY_ERRORS:
        return True
    text = str(error).lower()
    return not isinstance(error, MaskwrightError) and any(word in text for word in _MEMORY_WORDS)
