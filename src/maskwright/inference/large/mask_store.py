"""A mask of any size as pieces on disk: written in any order, read back by rows."""

import re
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskwright.errors import DataError
from maskwright.imageio import atomic_write

_NAME = re.compile(r"(\d+)-(\d+)-(\d+)-(\d+)\.z")
_CACHED_PIXELS = 2**26  # of decoded pieces, so that rows below each other share them


@dataclass(frozen=True)
class Piece:
    """Rows and columns that a file holds, the last of each excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def name(self) -> str:
        """Of the file."""
        return f"{self.top}-{self.bottom}-{self.left}-{self.right}.z"


class Pieces:
    """Labels uint8 of an image, kept in a folder as rectangles that do not overlap.

    A piece is there whole or not at all, whenever the program is ended.

    Args:
        folder: Made where it is missing; what it holds already is taken up.
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
        with atomic_write(self.folder / piece.name) as beside:
            beside.write_bytes(zlib.compress(labels.astype(np.uint8).tobytes(), 1))
        self.pieces.append(piece)

    def done(self, left: int) -> int:
        """Rows, from the top, of which the pieces beginning at a column are there."""
        end = 0
        for piece in sorted((p for p in self.pieces if p.left == left), key=lambda p: p.top):
            if piece.top != end:
                break
            end = piece.bottom
        return end

    def rows(self, top: int, bottom: int, left: int = 0, right: int | None = None) -> np.ndarray:
        """Labels uint8 `(rows, columns)`, of the whole width unless columns are given.

        Every piece must be there.
        """
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
        while sum(labels.size for labels in self._decoded.values()) > _CACHED_PIXELS:
            if len(self._decoded) == 1:
                break
            self._decoded.popitem(last=False)
        return labels
