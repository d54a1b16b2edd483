"""A mask of any size that is not done yet: how it is made, its pieces and its folder on disk."""

import json
import re
import shutil
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskwright.errors import DataError
from maskwright.imageio import MAX_PIXELS, atomic_write
from maskwright.imageio.windows import Windows
from maskwright.imageio.write import Rows
from maskwright.inference.folder_plan import Advance
from maskwright.inference.predictor import Flips, Predictor
from maskwright.inference.tiling import PAD_MULTIPLE
from maskwright.types import OnMessage, ignore_message

_TILE = 512  # px, of models that would run every image whole
_LEAST_TILE = 64
_PANEL_BYTES = 2**27  # of pixels and probabilities of a row of tiles; wider ones are cut
_NAME = re.compile(r"(\d+)-(\d+)-(\d+)-(\d+)\.z")
_CACHED_PIXELS = 2**26  # of decoded pieces, so that rows below each other share them


@dataclass(frozen=True)
class LargeOptions:
    """How an image is predicted by windows.

    Args:
        flips: As in `Predictor.__call__`.
        max_pixels: Limit of formats that can only be decoded whole.
        advance: Called with the share of the image that was done; `None` draws a bar of rows.
        on_message: Called where memory makes tiles smaller, or leaves large components uncleaned.
        on_probabilities: Called with the first row and column of each part that is predicted, and
            its probabilities `(h, w, classes)` before threshold and post-processing, and where it
            has no data `(h, w)` or `None`, by one thread at a time; after a kill, not for the parts
            that were done.
        on_masks: Called once all is predicted, before files are written, with functions from the
            first and last row, excluded, to labels uint8 after post-processing, one for each
            layer, and the image.
        mirrored: Whether the image is mirrored from left to right before it is predicted.
        exact: Whether this call predicts every part, in tiles as the card has them: nothing is
            resumed, and an image whose tiles do not fit into memory is refused.
    """

    flips: Flips = False
    batch_size: int = 4
    max_pixels: int = MAX_PIXELS
    advance: Advance | None = None
    on_message: OnMessage = ignore_message
    on_probabilities: Callable[[int, int, np.ndarray, np.ndarray | None], None] | None = None
    on_masks: Callable[[Sequence[Rows], Windows], None] | None = None
    mirrored: bool = False
    exact: bool = False


@dataclass(frozen=True)
class Piece:
    """Rows and columns that a file holds, the last of each excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def name(self) -> str:
        """Name of the file."""
        return f"{self.top}-{self.bottom}-{self.left}-{self.right}.z"


class Pieces:
    """Labels uint8 of an image, in a folder as rectangles that do not overlap.

    A piece is there whole or not at all, whenever the program ends; what is there is taken up.
    """

    def __init__(self, folder: Path, height: int, width: int) -> None:
        self.folder = folder
        self.height = height
        self.width = width
        folder.mkdir(parents=True, exist_ok=True)
        named = (_NAME.fullmatch(path.name) for path in folder.iterdir())
        self.pieces = sorted(
            (Piece(*map(int, match.groups())) for match in named if match),
            key=lambda piece: (piece.top, piece.left),
        )
        self._decoded: OrderedDict[Piece, np.ndarray] = OrderedDict()

    def put(self, top: int, left: int, labels: np.ndarray) -> None:
        """Store labels `(rows, columns)` whose first pixel lies there; upper rows come first."""
        piece = Piece(top, top + labels.shape[0], left, left + labels.shape[1])
        self._decoded.pop(piece, None)
        with atomic_write(self.folder / piece.name) as beside:
            beside.write_bytes(zlib.compress(labels.astype(np.uint8).tobytes(), 1))
        if piece not in self.pieces:
            self.pieces.append(piece)

    def done(self, left: int) -> int:
        """Rows, from the top, of which the pieces beginning at a column are there."""
        end = 0
        bottoms = {piece.top: piece.bottom for piece in self.pieces if piece.left == left}
        while end in bottoms:
            end = bottoms[end]
        return end

    def rows(self, top: int, bottom: int, left: int = 0, right: int | None = None) -> np.ndarray:
        """Labels uint8 `(rows, columns)`, by default of the whole width; every piece is there."""
        right = self.width if right is None else right
        window = np.empty((bottom - top, right - left), np.uint8)
        for piece in self.pieces:
            up, down = max(top, piece.top), min(bottom, piece.bottom)
            first, last = max(left, piece.left), min(right, piece.right)
            if up < down and first < last:
                part = self._decode(piece)[up - piece.top : down - piece.top]
                part = part[:, first - piece.left : last - piece.left]
                window[up - top : down - top, first - left : last - left] = part
        return window

    def bands(self, height: int) -> Iterator[tuple[int, np.ndarray]]:
        """First row and labels of every so many rows, from top to bottom."""
        for top in range(0, self.height, height):
            yield top, self.rows(top, min(top + height, self.height))

    def _decode(self, piece: Piece) -> np.ndarray:
        if piece in self._decoded:
            self._decoded.move_to_end(piece)
            return self._decoded[piece]
        try:
            data = zlib.decompress((self.folder / piece.name).read_bytes())
            labels = np.frombuffer(data, np.uint8).reshape(
                piece.bottom - piece.top, piece.right - piece.left
            )
        except (zlib.error, ValueError):
            raise DataError(
                f"{self.folder / piece.name} is damaged, perhaps since the machine lost power; "
                f"delete the folder {self.folder.parent} and predict again."
            ) from None
        self._decoded[piece] = labels
        while sum(map(np.size, self._decoded.values())) > _CACHED_PIXELS and len(self._decoded) > 1:
            self._decoded.popitem(last=False)
        return labels


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
        cls, mask: Path, made_of: str, windows: Windows, predictor: Predictor, resume: bool
    ) -> "PartialMask":
        """Continue what is there of the same mask, or start anew, always without `resume`."""
        folder = mask.with_name(f".{mask.name}.partial")
        try:
            values = json.loads((folder / "state.json").read_text(encoding="utf-8"))
            if resume and values["made_of"] == made_of and predictor.card.size is None:
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
