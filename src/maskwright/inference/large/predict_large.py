"""Masks of images of any size: read by windows, predicted in tiles, stored as they are done."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from maskwright.data.parallel import progress
from maskwright.data.to_rgb import as_picture
from maskwright.errors import ConfigError, DataError, MaskwrightError
from maskwright.imageio import write_image
from maskwright.imageio.gaps import fill_gaps
from maskwright.imageio.windows import WINDOWS_ONLY, Windows, image_size, mirrored, open_windows
from maskwright.imageio.write import Rows, write_large_mask
from maskwright.inference.folder_plan import Advance
from maskwright.inference.large.partial_mask import LargeOptions, PartialMask, Pieces
from maskwright.inference.large.polygons import need_rasterio, write_polygons
from maskwright.inference.large.postprocess_large import clean_large
from maskwright.inference.large.shrink import preview_size, read_rows, reduced, shrunk
from maskwright.inference.large.stripes import (
    PanelSource,
    predict_panels,
    sampled_pixels,
    store_labels,
)
from maskwright.inference.pixels import fit_range, spread_bits
from maskwright.inference.postprocess import cleaning_of
from maskwright.inference.predictor import Flips, Predictor
from maskwright.inference.tiling import resized_strips
from maskwright.labels import IGNORE_LABEL

LARGE_PIXELS = 2**25
"""Images with more pixels are worked through by windows: beyond 5,792 pixels square."""

_LEAST_BYTES = 2**18  # less than a tenth of a bit for each pixel: a blank image
_USUAL = LargeOptions()


def is_large(path: Path) -> bool:
    """Whether an image is to be worked through by windows; no for what cannot be read at all.

    Small files are not opened, because a folder may hold a hundred thousand of them.
    """
    if path.suffix.lower() in WINDOWS_ONLY:
        return True
    try:
        if path.stat().st_size < _LEAST_BYTES:
            return False
        height, width = image_size(path)
    except (DataError, OSError):
        return False
    return height * width > LARGE_PIXELS


def predict_large(
    predictor: Predictor,
    image: str | Path,
    mask: str | Path,
    *,
    layers: Sequence[Path] = (),
    preview: str | Path | None = None,
    polygons: str | Path | None = None,
    options: LargeOptions = _USUAL,
) -> tuple[int, int]:
    """Write the mask of an image of any size as a tiled, georeferenced TIFF; height and width, px.

    Labels are those of `Predictor` on the whole image. What is done is kept in a folder beside
    the mask, `.NAME.tif.partial`, until the mask is written: after a kill, the same call goes on
    from there and gives the same bytes. Another image, model or setting starts anew.

    Pixels that hold no data, as a GeoTIFF may say, get `IGNORE_LABEL` in the mask, which names it
    as its own value for no data; of float images the model sees a median.

    Args:
        predictor: Where its card has neither `size` nor `tile`, tiles are 512 px.
        mask: File to write, ending in `.tif`.
        layers: Files to write in its place where classes overlap, one for each, as `layer_values`.
        preview: JPEG to write with the mask laid over the image, at most 2048 px a side.
        polygons: GeoJSON to write; see `write_polygons`.

    Raises `DataError` if the image cannot be read or does not suit the model, the mask cannot be
    written, or memory does not suffice for the smallest tiles.
    """
    image, mask = Path(image), Path(mask)
    files = list(layers) or [mask]
    for file in files:
        if file.exists() and file.resolve() == image.resolve():
            raise ConfigError(f"{file} is the image; name another file for the mask.")
    if polygons is not None:
        need_rasterio()
    card = predictor.card
    cleaning = cleaning_of(card) | ({"background": 0} if layers else {})
    with open_windows(image, options.max_pixels) as stored:

        def read(*window: int) -> np.ndarray:
            return spread_bits(stored.read(*window), stored.white, card)

        windows = replace(stored, read=read)
        if options.mirrored:
            windows = mirrored(windows)
        size = (windows.height, windows.width)
        if (sample := sampled_pixels(windows)).size:
            fit_range(sample, card)
        has_gaps = windows.nodata is not None
        made_of = _fingerprint(image, windows, predictor, options.flips)
        partial_mask = PartialMask.begin(mask, made_of, windows, predictor, not options.exact)
        folders = [partial_mask.folder / "labels"]
        if layers:
            folders = [folders[0] / str(place) for place in range(len(layers))]
        pieces = tuple(Pieces(folder, *size) for folder in folders)
        source = PanelSource(predictor, windows, pieces, options)
        try:
            with _rows_done(image, windows.height, options.advance) as advance:
                if card.size is not None:
                    _stretch(source, advance)
                else:
                    predict_panels(source, partial_mask, advance)
            stayed, finished = 0, list[Rows]()
            for number, folder in enumerate(folders):
                labels, beside = Pieces(folder, *size), partial_mask.folder / f"cleaned{number}"
                shutil.rmtree(beside, ignore_errors=True)
                cleaned, patches = clean_large(labels, beside, **cleaning)
                stayed += patches
                finished.append(partial(finished_rows, labels, cleaned))
            if options.on_masks is not None:
                options.on_masks(finished, windows)
            colors = None if layers else card.labels.colors
            for rows, file in zip(finished, files, strict=True):
                write_large_mask(file, rows, size, colors, windows.geo, has_gaps)
            if stayed:
                options.on_message(
                    f"{image}: {stayed} patches were too large for memory to be cleaned; they stay "
                    f"as the model predicted them."
                )
            if preview is not None:
                picture = as_picture(shrunk(windows, preview_size(size)))
                small = [reduced(rows, size) for rows in finished]
                shown = np.stack(small, axis=-1) if layers else small[0]
                write_image(preview, card.labels.overlay(picture, shown))
            if polygons is not None:
                write_polygons(files if layers else mask, polygons, card.labels, card.background)
        except OSError as error:
            raise DataError(f"The mask of {image} cannot be written: {error}.") from error
        except MaskwrightError:
            if not pieces[0].pieces:
                shutil.rmtree(partial_mask.folder)
            raise
    shutil.rmtree(partial_mask.folder)
    return size


@contextmanager
def _rows_done(image: Path, height: int, advance: Advance | None) -> Iterator[Advance]:
    """Function to be called with rows that were done."""
    if advance is not None:
        yield lambda rows: advance(rows / height)
        return
    with progress(f"{image.name}, rows", height) as move:
        yield move


def _fingerprint(image: Path, windows: Windows, predictor: Predictor, flips: Flips) -> str:
    """Checksum of what the labels depend on; the image by its size and time of change."""
    stat = image.stat()
    values = [
        *(image.name, stat.st_size, stat.st_mtime_ns, windows.height, windows.width),
        *(windows.channels, windows.dtype, predictor.card.to_json(), flips),
    ]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def _stretch(source: PanelSource, advance: Advance) -> None:
    """Predict an image that the model sees at a size of its own."""
    predictor, windows = source.predictor, source.windows
    size = (windows.height, windows.width)
    wanted = predictor.card.size or size
    if wanted[0] <= size[0] and wanted[1] <= size[1]:
        image = shrunk(windows, wanted, advance)
    else:
        image = read_rows(windows, 0, windows.height)
    values = predictor.probabilities(predictor.working(image)[None], source.options.flips)[0]
    top = 0
    for strip in resized_strips(values, size):
        gap = None
        if windows.nodata is not None:
            pixels = windows.read(top, top + len(strip), 0, windows.width)
            _, gap = fill_gaps(pixels, windows.nodata)
        store_labels(source, top, 0, strip, gap)
        top += len(strip)


def finished_rows(labels: Pieces, cleaned: Pieces, top: int, bottom: int) -> np.ndarray:
    """Cleaned labels uint8 `(bottom - top, w)`, with no data where `labels` has none."""
    rows = cleaned.rows(top, bottom)
    if cleaned is not labels:
        rows[labels.rows(top, bottom) == IGNORE_LABEL] = IGNORE_LABEL
    return rows
