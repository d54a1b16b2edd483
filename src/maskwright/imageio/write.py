"""Write images and masks."""

from collections.abc import Sequence
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from maskwright.errors import DataError
from maskwright.imageio.files import atomic_write
from maskwright.labels import IGNORE_LABEL, Colour

_IGNORE_GREY = 128


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write pixels `(h, w)` or `(h, w, c)`; the ending of `path` names the format.

    PNG takes uint8 and uint16 with one or three channels, TIFF everything that `read_image` gives,
    other formats uint8.
    """
    path = Path(path)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    suffix = path.suffix.lower()
    if suffix in {".tif", ".tiff"}:
        photometric = "rgb" if image.ndim == 3 and image.shape[2] == 3 else "minisblack"
        layout = {} if image.ndim == 2 else {"planarconfig": "contig"}
        with atomic_write(path) as beside:
            tifffile.imwrite(beside, image, photometric=photometric, compression="zlib", **layout)
        return
    deep = image.dtype == np.uint16 and suffix == ".png"
    if not (image.ndim == 2 or image.shape[2] == 3) or not (deep or image.dtype == np.uint8):
        raise DataError(
            f"{path} cannot hold {image.dtype} pixels of shape {image.shape}; write them as .tif."
        )
    with atomic_write(path) as beside:
        if deep:
            beside.write_bytes(imagecodecs.png_encode(image))
        else:
            Image.fromarray(image).save(beside)


def write_mask(
    path: str | Path, labels: np.ndarray, colours: Sequence[Colour] | None = None
) -> None:
    """Write labels `(h, w)` as a PNG: 8 bits, or 16 where a label exceeds 255.

    Args:
        path: File to write.
        labels: Whole numbers from 0.
        colours: Palette to show 8-bit labels in; the values stored are the labels all the same.
    """
    highest = int(labels.max(initial=0))
    if highest > IGNORE_LABEL:
        write_image(path, labels.astype(np.uint16))
        return
    image = Image.fromarray(labels.astype(np.uint8))
    if colours is not None:
        table = np.full((256, 3), _IGNORE_GREY, np.uint8)
        table[: len(colours)] = colours
        image.putpalette(table.tobytes())
    with atomic_write(path) as beside:
        image.save(beside, format="PNG")
