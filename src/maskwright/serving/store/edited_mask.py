"""The mask of an image as it is now: settings replayed at full resolution, strokes on top."""

import gzip
import tempfile
import threading
import zlib
from pathlib import Path

import numpy as np

from maskwright.errors import DataError, MaskwrightError
from maskwright.imageio import atomic_write, read_mask
from maskwright.imageio.geo import GeoTags
from maskwright.imageio.windows import MOST_PIXELS
from maskwright.imageio.write import write_large_mask
from maskwright.inference.large.partial_mask import Pieces
from maskwright.inference.large.postprocess_large import clean_large
from maskwright.inference.large.predict_large import finished_rows
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL, label_counts, layer_of_values
from maskwright.model_card import postprocessing_of
from maskwright.serving.jobs.probability_grid import PixelGrid, ProbabilityPlanes, level_of
from maskwright.serving.limits import check_deadline
from maskwright.serving.store.object_numbers import renumber_objects
from maskwright.tasks.serving import MaskLayer, MaskSettings

UNTOUCHED = 254
"""Value of pixels without a stroke."""

_BAND_PIXELS = 2**23


class StaleError(MaskwrightError):
    """An edit of an earlier version of a mask than the one that is stored."""

    def __init__(self) -> None:
        super().__init__(
            "This mask was changed elsewhere meanwhile, for example in another tab; reload the "
            "page to see it, and make the last change again."
        )


class EditedMask:
    """A mask of one image: what the model predicted, the settings that decide it, and strokes.

    `version` counts the edits; `exported` is the version that was last downloaded or kept.
    """

    def __init__(self, folder: Path, grid: PixelGrid, layer: MaskLayer) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.grid, self.layer, self.settings = grid, layer, layer.settings
        self.probabilities = folder / "evidence.gz"  # as `ProbabilityGrid.packed`
        self.planes = ProbabilityPlanes(folder / "planes", *grid.size)
        self.decided = folder / "mask.tif"  # by the settings, without strokes
        self.strokes_file = folder / "strokes.gz"  # of the grid
        self.predicted: Instances | None = None  # for a model of objects: all, by falling score
        self.geo: GeoTags | None = None
        self.has_gaps = False  # pixels without data
        self.version = self.exported = 0
        self._decided_by = self.settings
        self._lock = threading.RLock()

    @property
    def changed(self) -> bool:
        """Whether it may differ from the mask of the model."""
        return self.settings != self.layer.settings or self.has_strokes

    @property
    def has_strokes(self) -> bool:
        """Whether any pixel was corrected."""
        return self.strokes_file.exists()

    def decide(self, settings: MaskSettings, version: int) -> None:
        """Store other settings; `StaleError` if `version` is not the one that is stored."""
        with self._lock:
            if self._is_new(version, settings == self.settings):
                self.settings = settings
                self.version += 1

    def draw(self, packed: bytes, version: int) -> None:
        """Store all strokes: a class for each pixel of the grid, or `UNTOUCHED`, with gzip.

        Raises `DataError` if they have another size, or a class that the model does not have,
        `StaleError` as `decide`.
        """
        strokes = self._checked(packed)
        any_stroke = bool(strokes.strip(bytes([UNTOUCHED])))
        with self._lock:
            if not self._is_new(version, self._stored() == (strokes if any_stroke else None)):
                return
            if any_stroke:
                with atomic_write(self.strokes_file) as beside:
                    beside.write_bytes(gzip.compress(strokes, 1, mtime=0))
            else:
                self.strokes_file.unlink(missing_ok=True)
            self.version += 1  # last: what a full disk did not take can be sent again

    def start_from(self, labels: np.ndarray) -> None:
        """Draw a mask that is stored elsewhere: labels uint8 `(h, w)`; it need not be saved.

        Raises `DataError` as `draw`.
        """
        with self._lock:
            strokes = self.grid.sample(labels).astype(np.uint8, copy=False)
            self.draw(gzip.compress(strokes.tobytes(), 1, mtime=0), self.version)
            self.exported = self.version

    def file(self) -> Path:
        """TIFF of the mask without strokes, as `predict` writes it with the settings of now."""
        with self._lock:
            if self._decided_by != self.settings:
                with tempfile.TemporaryDirectory(dir=self.decided.parent) as folder:
                    self._replay(Path(folder))
                self._decided_by = self.settings
            return self.decided

    def base(self) -> np.ndarray:
        """Labels uint8 `(h, w)` of `file`."""
        values = read_mask(self.file(), MOST_PIXELS).values.astype(np.uint8, copy=False)
        return layer_of_values(values) if self.layer.name else values

    def packed(self) -> bytes:
        """Labels of `file` on the grid, then numbers of objects if there are any, with gzip."""
        with self._lock:
            objects, planes = self.confident(), [self.grid.sample(self.base()).tobytes()]
        if objects is not None:
            planes.append(self.grid.sample(objects.ids()).astype("<u2").tobytes())
        return gzip.compress(b"".join(planes), 1, mtime=0)

    def labels(self) -> np.ndarray:
        """Labels uint8 `(h, w)` of the mask as it is now."""
        with self._lock:
            labels, strokes = self.base(), self._strokes()
        return labels if strokes is None else np.where(strokes == UNTOUCHED, labels, strokes)

    def current(self) -> tuple[int, np.ndarray, Instances | None]:
        """Version, `labels` and `objects` of the mask as it is now, all of the same edit."""
        with self._lock:
            labels = self.labels()
            return self.version, labels, self.objects(labels)

    def objects(self, labels: np.ndarray) -> Instances | None:
        """Objects of the mask as it is now, `labels`; `None` for a model without objects.

        Predicted objects overlap and have scores, those of a mask with strokes do not.
        """
        objects, strokes = self.confident(), self._strokes()
        if objects is None or strokes is None:
            return objects
        return Instances.from_ids(renumber_objects(labels, objects, strokes != UNTOUCHED), labels)

    def confident(self) -> Instances | None:
        """Predicted objects that the settings leave, as `predict` gives them."""
        if self.predicted is None:
            return None
        settings = self.settings
        return self.predicted.at_least(settings.threshold or 0.0, max(settings.min_area_px, 1))

    def _is_new(self, version: int, is_same: bool) -> bool:
        """Whether to store an edit; not one that is sent again because its answer was lost."""
        if is_same and version == self.version - 1:
            return False
        if version != self.version:
            raise StaleError
        return True

    def _stored(self) -> bytes | None:
        try:
            return gzip.decompress(self.strokes_file.read_bytes())
        except FileNotFoundError:
            return None

    def _strokes(self) -> np.ndarray | None:
        """Strokes in the size of the image."""
        grid, data = self.grid, self._stored()
        if data is None:
            return None
        return grid.upsample(np.frombuffer(data, np.uint8).reshape(grid.height, grid.width))

    def _checked(self, packed: bytes) -> bytes:
        width, height = self.grid.width, self.grid.height
        decompressor = zlib.decompressobj(wbits=31)  # of gzip
        try:
            labels = decompressor.decompress(packed, height * width + 1)
        except zlib.error:
            raise DataError("Expected the mask to be packed with gzip.") from None
        if len(labels) != height * width or not decompressor.eof or decompressor.unused_data:
            raise DataError(
                f"Expected a byte for each of {width}x{height} pixels, {width * height:,} in all, "
                f"packed with gzip; received another number."
            )
        known = self.layer.labels.num_classes
        counts = label_counts(np.frombuffer(labels, np.uint8))
        unknown = np.flatnonzero(counts[known:UNTOUCHED])
        if unknown.size:
            raise DataError(
                f"Expected the classes 0 to {known - 1}, {IGNORE_LABEL} for none, or {UNTOUCHED} "
                f"where nothing was corrected; the mask holds {known + unknown[0]}."
            )
        return labels

    def _replay(self, folder: Path) -> None:
        """Write `decided` by the settings, as `predict` does with them."""
        background, objects = self.layer.background, self.confident()
        if objects is not None:
            classes = objects.classes().astype(np.uint8)

            def rows(top: int, bottom: int) -> np.ndarray:
                return classes[top:bottom]
        else:
            labels = Pieces(folder / "labels", *self.grid.size)
            cut = level_of(self.settings.threshold, self.settings.threshold_of)
            for top, classes, levels in self.planes.bands(_BAND_PIXELS):
                check_deadline()
                if background is not None:
                    classes[(levels < cut) & (classes != IGNORE_LABEL)] = background
                labels.put(top, 0, classes)
            steps = postprocessing_of(self.settings)
            cleaned, _ = clean_large(labels, folder, **steps, background=background)

            def rows(top: int, bottom: int) -> np.ndarray:
                check_deadline()
                return finished_rows(labels, cleaned, top, bottom)

        colors = self.layer.colors
        write_large_mask(self.decided, rows, self.grid.size, colors, self.geo, self.has_gaps)
