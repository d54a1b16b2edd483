"""Masks of the page whose classes overlap, as files."""

import io
import tempfile
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np

from maskwright.errors import ConfigError
from maskwright.imageio.windows import MOST_PIXELS, Windows, open_windows
from maskwright.imageio.write import Rows, rows_of, write_large_layers
from maskwright.inference.output_paths import folder_names
from maskwright.labels import layer_of_values
from maskwright.serving.store.layer_formats import layer_png
from maskwright.serving.store.upload import Upload


def layer_files(upload: Upload, layers: np.ndarray, _: int = 0) -> Mapping[str, bytes]:
    """PNG of each layer of `(h, w, classes)`, by the name of its file."""
    names = folder_names(list(upload.layers))
    return {f"{name}.png": layer_png(layers[..., place]) for place, name in enumerate(names)}


def layers_zip(upload: Upload, layers: np.ndarray, _: int = 0) -> bytes:
    """Archive of `layer_files`; `ConfigError` if there are no layers."""
    if not upload.card.overlapping:
        raise ConfigError(f"There is one mask of {upload.name}: download mask.png.")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for name, content in layer_files(upload, layers).items():
            packed.writestr(name, content)
    return file.getvalue()


def layers_tif(upload: Upload, layers: np.ndarray | None) -> bytes:
    """TIFF of a page for each class, with the georeference of the image if it has one.

    `None` for layers without strokes, which are read from their files, of any size.
    """
    geo, has_gaps = upload.masks[0].geo, upload.masks[0].has_gaps
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=upload.folder))
        rows: dict[str, Rows] = {}
        for place, (name, mask) in enumerate(upload.layers.items()):
            if layers is None:
                windows = stack.enter_context(open_windows(mask.file(), MOST_PIXELS))
                rows[name] = partial(_stored_rows, windows)
            else:
                rows[name] = rows_of(layers[..., place])
        file = Path(folder) / "mask.tif"
        write_large_layers(file, rows, upload.size, geo, has_gaps)
        return file.read_bytes()


def _stored_rows(windows: Windows, top: int, bottom: int) -> np.ndarray:
    return layer_of_values(windows.read(top, bottom, 0, windows.width)[..., 0])
