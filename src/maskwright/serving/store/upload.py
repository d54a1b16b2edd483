"""One image that was sent to the page: its files and its state."""

import asyncio
import gzip
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from maskwright.errors import ConfigError, MaskwrightError
from maskwright.imageio.header import start_of
from maskwright.imageio.isolated import DecoderPool
from maskwright.imageio.tiff import TIFF_MAGIC
from maskwright.imageio.windows import Windows
from maskwright.model_card import InstanceCard, SemanticCard
from maskwright.serving.jobs.probability_grid import PixelGrid
from maskwright.serving.store.edited_mask import EditedMask
from maskwright.serving.store.temporary import naming_errors
from maskwright.serving.store.tile_pyramid import TilePyramid
from maskwright.tasks.serving import RegionDecisions, ServedModel

_LONGEST_STEM_BYTES = 160  # most file systems take 255 for a whole name
_LOOK_S = 0.05  # between looks for changes that somebody waits for

Status = Literal["waiting", "working", "done", "failed"]


class EvictedError(MaskwrightError):
    """An image that is not stored, or no longer."""

    def __init__(self) -> None:
        super().__init__(
            "There is no such image here, or no longer: the oldest make room for new ones; send it "
            "again."
        )


class NotDoneError(MaskwrightError):
    """An image that the model is not done with, or that failed for a `reason`."""

    def __init__(self, reason: str | None) -> None:
        super().__init__(reason or "The model has not done with this image yet; ask again later.")


class StoredAssessment(NamedTuple):
    """What promises say of an image, as `AssessedMask`, and the classes with planes of bounds."""

    sentences: list[str]
    doubt: float | None
    bounded: list[str]


class Upload:
    """An image that was sent, in a folder of its own, and what a model predicted for it.

    Nobody can guess its `id`; `size` is height and width, px.
    """

    def __init__(
        self,
        id: str,
        name: str,
        served: ServedModel,
        image: Path,
        size: tuple[int, int],
        decoders: DecoderPool,
    ) -> None:
        self.id, self.name, self.served = id, name, served
        self.image, self.size, self.decoders = image, size, decoders
        self.folder = image.parent
        self.grid = PixelGrid.over(size)
        self.layers = {
            layer.name: EditedMask(self.folder / f"mask{place}", self.grid, layer)
            for place, layer in enumerate(served.masks.layers)
        }
        self.status: Status = "waiting"
        self.progress = 0.0
        self.reason: str | None = None
        self.warnings: list[str] = []  # on pixels unlike those of training
        self.assessed: StoredAssessment | None = None  # of a model with promises
        self.bounds_file = self.folder / "bounds.gz"
        self.pyramid: TilePyramid | None = None
        self.decisions: RegionDecisions | None = None  # for a model that decides on regions
        self.decided_version = 0  # of the mask that they were made on
        self.training_digest = ""  # checksum of its masks in the training data
        self.gone = False
        self.stored_bytes = 0  # of its files

    @property
    def pixels(self) -> int:
        """Number of pixels of the image."""
        return self.size[0] * self.size[1]

    @property
    def is_tiff(self) -> bool:
        """Whether the image is read by windows, unless a model needs it whole."""
        return start_of(self.image).startswith(TIFF_MAGIC)

    @property
    def stem(self) -> str:
        """Name without its suffix, as every file system takes it, and not hidden."""
        stem = re.sub(r'[\\/:*?"<>|\x00-\x1f]', "_", Path(self.name).stem)
        short = stem.encode()[:_LONGEST_STEM_BYTES].decode(errors="ignore")
        return short.strip(" .") or "image"

    @property
    def masks(self) -> tuple[EditedMask, ...]:
        """The only mask, or those of all layers."""
        return tuple(self.layers.values())

    @property
    def mask(self) -> EditedMask:
        """The only mask; `ConfigError` if there are layers."""
        return self.layer("")

    def layer(self, name: str) -> EditedMask:
        """The mask of a layer, or without a name the only one; `ConfigError` if there is none."""
        if name in self.layers:
            return self.layers[name]
        if "" in self.layers:
            raise ConfigError("This mask has no layers: leave out `layer`.")
        raise ConfigError(
            f"The classes of the model overlap: name one of the layers {', '.join(self.layers)}."
        )

    def labels(self) -> np.ndarray:
        """Labels uint8 `(h, w)` as they are now, or layers `(h, w, classes)` where they overlap."""
        if self.card.overlapping:
            return np.stack([mask.labels() for mask in self.masks], axis=-1)
        return self.mask.labels()

    def packed_layers(self) -> bytes:
        """Layers of the grid as they are now, a bit for each: eight in a plane, with gzip."""
        planes = np.zeros((-(-len(self.layers) // 8), self.grid.height, self.grid.width), np.uint8)
        for place, mask in enumerate(self.masks):
            inside = self.grid.sample(mask.labels()) == 1
            planes[place // 8] |= inside.astype(np.uint8) << np.uint8(place % 8)
        return gzip.compress(planes.tobytes(), 1, mtime=0)

    @property
    def over(self) -> bool:
        """Whether the status is final."""
        return self.status in ("done", "failed")

    @property
    def unsaved(self) -> bool:
        """Whether edits would be lost with it: they were neither downloaded nor kept."""
        lost = (mask.changed and mask.exported != mask.version for mask in self.masks)
        return self.status == "done" and any(lost)

    def open_windows(self, max_pixels: int) -> AbstractContextManager[Windows]:
        """Open the image as `imageio.open_windows` does, in a process that can be ended."""
        whole = min(self.pixels, max_pixels)
        return self.decoders.open_windows(self.image, max_pixels, whole)

    @property
    def card(self) -> SemanticCard | InstanceCard:
        """Card of the model that predicted the mask; `ConfigError` if it predicts none."""
        return self.served.masks.predictor.card

    async def changes(self, seconds: float) -> bool:
        """Whether status, tiles or a hundredth of the progress change within a time."""

        def state() -> tuple[Status, TilePyramid | None, int]:
            return self.status, self.pyramid, int(self.progress * 100)

        before, ends = state(), time.monotonic() + seconds
        while state() == before and time.monotonic() < ends:
            await asyncio.sleep(_LOOK_S)
        return state() != before

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """To be held while its files are used; `EvictedError` if they were removed meanwhile."""
        try:
            with naming_errors(self.folder, self.name):
                yield
        except (MaskwrightError, OSError):
            if self.gone:
                raise EvictedError from None
            raise

    def fail(self, reason: str) -> None:
        """Report that it failed, and why."""
        self.reason, self.status = reason, "failed"
