"""Write images and masks."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from maskwright.errors import ConfigError, DataError
from maskwright.imageio.files import IMAGE_SUFFIXES, atomic_write
from maskwright.imageio.geo import NODATA_TAG, GeoTags
from maskwright.labels import IGNORE_LABEL, LAYER_IGNORED, Color, layer_values

_IGNORE_GRAY = 128
_TIFF_TILE = 512
_BIG_TIFF_PIXELS = 4_000_000_000  # above, offsets may exceed the 32 bits of classic TIFF
_ASCII = 2
_PAGE_NAME = 285

Rows = Callable[[int, int], np.ndarray]
"""From the first and the last row (exclusive) to labels uint8 `(rows, width)`, in their order."""


def rows_of(labels: np.ndarray) -> Rows:
    """`Rows` of labels `(h, w)` that are in memory."""
    return lambda top, bottom: labels[top:bottom]


def checked_image_path(path: str | Path) -> Path:
    """Path of an image to write; `ConfigError` where its suffix names no format."""
    path = Path(path)
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise ConfigError(f"Expected an image such as {path.stem or 'image'}.png, received {path}.")
    return path


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write pixels `(h, w)` or `(h, w, c)` in the format of the suffix of `path`.

    PNG supports uint8 and uint16 with one or three channels, TIFF all results of `read_image`, and
    other formats uint8 with one or three channels; else `DataError`.
    """
    path = checked_image_path(path)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    suffix = path.suffix.lower()
    if suffix in {".tif", ".tiff"}:
        photometric = "rgb" if image.ndim == 3 and image.shape[2] == 3 else "minisblack"
        layout = {} if image.ndim == 2 else {"planarconfig": "contig"}
        with atomic_write(path) as temporary:
            tifffile.imwrite(
                temporary, image, photometric=photometric, compression="zlib", **layout
            )
        return
    is_deep_png = image.dtype == np.uint16 and suffix == ".png"
    if not (image.ndim == 2 or image.shape[2] == 3) or not (is_deep_png or image.dtype == np.uint8):
        raise DataError(
            f"{path} cannot store {image.dtype} pixels of shape {image.shape}; use the suffix .tif."
        )
    with atomic_write(path) as temporary:
        if is_deep_png:
            temporary.write_bytes(imagecodecs.png_encode(image))
        else:
            Image.fromarray(image).save(temporary)


def write_mask(path: str | Path, labels: np.ndarray, colors: Sequence[Color] | None = None) -> None:
    """Write labels `(h, w)` as a PNG with 8 bits, or 16 bits if a label exceeds 255.

    `colors` is the palette for the display of 8-bit labels; the stored values are labels.
    """
    highest = int(labels.max(initial=0))
    if highest > IGNORE_LABEL:
        write_image(path, labels.astype(np.uint16))
        return
    image = Image.fromarray(labels.astype(np.uint8))
    if colors is not None:
        image.putpalette(palette(colors).tobytes())
    with atomic_write(path) as temporary:
        image.save(temporary, format="PNG")


def write_large_mask(
    path: str | Path,
    rows: Rows,
    size: tuple[int, int],
    colors: Sequence[Color] | None,
    geo: GeoTags | None = None,
    nodata: bool = False,
) -> None:
    """Write labels as a TIFF of compressed tiles, with one row of tiles in memory at a time.

    Equal labels give equal bytes. `size` is height and width in pixels; with `nodata`, the file
    declares `IGNORE_LABEL` as its no-data value. Without `colors`, the labels are a layer, which is
    stored as `layer_values`.
    """
    shown: dict[str, Any] = {"photometric": "minisblack"}
    if colors is not None:
        table = palette(colors).T.astype(np.uint16) * 257
        shown = {"photometric": "palette", "colormap": table}
    ignored = LAYER_IGNORED if colors is None else IGNORE_LABEL
    tags = _tags(geo, ignored if nodata else None)
    stored = _as_layer(rows) if colors is None else rows
    with atomic_write(path) as file, _tiff_of(file, math.prod(size)) as tiff:
        tiff.write(_tiles(stored, size), **_page(size), **shown, extratags=tags)


def write_large_layers(
    path: str | Path,
    layers: Mapping[str, Rows],
    size: tuple[int, int],
    geo: GeoTags | None = None,
    nodata: bool = False,
) -> None:
    """Write layers as `write_large_mask` does, each as a page with its name."""
    tags = _tags(geo, LAYER_IGNORED if nodata else None)
    with atomic_write(path) as file, _tiff_of(file, math.prod(size) * len(layers)) as tiff:
        for name, rows in layers.items():
            page = [*tags, (_PAGE_NAME, _ASCII, 0, name.encode(), True)]
            tiles = _tiles(_as_layer(rows), size)
            tiff.write(tiles, **_page(size), photometric="minisblack", extratags=page)


def _tiff_of(file: Path, pixels: int) -> tifffile.TiffWriter:
    return tifffile.TiffWriter(file, bigtiff=pixels > _BIG_TIFF_PIXELS)


def _tags(geo: GeoTags | None, nodata: int | None) -> list[tuple[Any, ...]]:
    tags: list[tuple[Any, ...]] = [(*tag, True) for tag in geo or ()]
    if nodata is not None:
        tags.append((NODATA_TAG, _ASCII, 4, str(nodata), True))  # with the byte that ends it
    return tags


def _page(size: tuple[int, int]) -> dict[str, Any]:
    """Arguments of a page of labels."""
    tile = (_TIFF_TILE, _TIFF_TILE)
    about = {"metadata": None, "software": "maskwright"}
    return {"shape": size, "dtype": np.uint8, "tile": tile, "compression": "zlib", **about}


def _as_layer(rows: Rows) -> Rows:
    return lambda top, bottom: layer_values(rows(top, bottom))


def _tiles(rows: Rows, size: tuple[int, int]) -> Iterator[np.ndarray]:
    height, width = size
    for top in range(0, height, _TIFF_TILE):
        labels = rows(top, min(top + _TIFF_TILE, height))
        for left in range(0, width, _TIFF_TILE):
            tile = np.zeros((_TIFF_TILE, _TIFF_TILE), np.uint8)
            part = labels[:, left : left + _TIFF_TILE]
            tile[: part.shape[0], : part.shape[1]] = part
            yield tile


def palette(colors: Sequence[Color]) -> np.ndarray:
    """Palette uint8 `(256, 3)` by label; gray for labels without a color."""
    table = np.full((256, 3), _IGNORE_GRAY, np.uint8)
    table[: len(colors)] = colors
    return table
