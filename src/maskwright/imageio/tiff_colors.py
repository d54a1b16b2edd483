"""What the samples of a TIFF page mean: gray, colors, inks, transparency, white at zero."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from maskwright.errors import DataError
from maskwright.imageio.files import NamedBytes
from maskwright.imageio.geo import geo_tags

PALETTE = tifffile.PHOTOMETRIC.PALETTE
_WHITE_IS_ZERO = tifffile.PHOTOMETRIC.MINISWHITE
_INKS = tifffile.PHOTOMETRIC.SEPARATED
_SOFTWARE, _MAX_SAMPLE_VALUE, _INK_SET, _SMAX_SAMPLE_VALUE = 305, 281, 332, 341
_CMYK = 1
_ALPHA = (1, 2)  # premultiplied or not
_MOST_TRANSLUCENT = 0.5  # of the pixels of a picture that is partly transparent
_LOSSLESS = {tifffile.COMPRESSION.PNG}
_NOT_RGB = {6: "YCbCr", 8: "CIELAB", 9: "ICCLAB", 10: "ITULAB"}


def num_channels(path: Path | NamedBytes, page: Any, samples: int) -> tuple[int, bool]:
    """Channels of an image of so many samples a pixel, and whether one more is transparency.

    CMYK has the three channels of RGB. Transparency is dropped, but from georeferenced files: GDAL
    declares the fourth of any four bands so, also infrared. `DataError` for colors other than RGB.
    """
    if page.photometric == PALETTE:
        return 3, False
    is_decoded = page.compression in tifffile.TIFF.IMAGE_COMPRESSIONS  # to RGB
    if (space := _NOT_RGB.get(page.photometric)) and not (space == "YCbCr" and is_decoded):
        raise DataError(f"{path} holds {space} colors; expected gray or RGB: convert it.")
    has_alpha = [int(kind) in _ALPHA for kind in page.extrasamples[-1:]] == [True]
    if page.photometric == _INKS:
        ink_set = page.tags.get(_INK_SET)
        if samples not in (4, 5) or (ink_set is not None and ink_set.value != _CMYK):
            raise DataError(f"{path} holds inks other than CMYK; convert it to RGB.")
        return 3, has_alpha
    return samples - (has_alpha and geo_tags(page) is None), has_alpha


def check_alpha(path: Path | NamedBytes, page: Any, values: np.ndarray) -> None:
    """`DataError` where transparency that is dropped looks like a band of the image."""
    channels, has_alpha = num_channels(path, page, values.shape[-1])
    if not has_alpha or channels == values.shape[-1]:
        return
    alpha = values[..., -1]
    share = ((alpha > 0) & (alpha < (1 if alpha.dtype.kind == "f" else alpha.max()))).mean()
    if share > _MOST_TRANSLUCENT:
        raise DataError(
            f"{path} declares its last channel as transparency, but {share:.0%} of its pixels are "
            f"neither opaque nor clear: if it is a band such as infrared, write it again with that "
            f"channel declared as unspecified (ExtraSamples 0), else without the channel."
        )


def to_pixels(page: Any, values: np.ndarray) -> np.ndarray:
    """Convert values `(h, w, samples)` of a page to pixels as they are to be seen.

    Palettes and CMYK become RGB, one bit becomes 0 and 255, transparency is dropped.
    """
    pixels = values * np.uint8(255) if values.dtype == np.bool_ else values
    if page.photometric == PALETTE:
        return tiff_palette(page)[pixels[..., 0]]
    if page.photometric == _INKS:
        return _rgb_of_inks(pixels[..., :4])
    pixels = pixels[..., : num_channels(Path(), page, pixels.shape[-1])[0]]
    return ~pixels if page.photometric == _WHITE_IS_ZERO and pixels.dtype.kind == "u" else pixels


def _rgb_of_inks(inks: np.ndarray) -> np.ndarray:
    """RGB of CMYK `(h, w, 4)` of unsigned integers, as Pillow converts it, without a profile."""
    top = float(np.iinfo(inks.dtype).max)
    clear = top - inks[..., 3:].astype(np.float32)
    return (clear - np.round(inks[..., :3] * clear / top)).astype(inks.dtype)


def mask_page_values(path: Path | NamedBytes, page: Any, values: np.ndarray) -> np.ndarray:
    """Values `(h, w, samples)` of a mask, exactly, with white above black; one bit is 0 and 255.

    Raises `DataError` for lossy compression, and for several labels with white at zero, which are
    others as stored and as displayed.
    """
    lossy = page.compression in tifffile.TIFF.IMAGE_COMPRESSIONS
    if lossy and page.compression not in _LOSSLESS:
        raise DataError(
            f"{path} is compressed as {page.compression.name}, which changes labels near "
            f"boundaries; export the mask with LZW or ZIP compression from the original."
        )
    is_bits = values.dtype == np.bool_
    values = values * np.uint8(255) if is_bits else values
    if page.photometric != _WHITE_IS_ZERO or values.dtype.kind != "u":
        return values
    software = page.tags.get(_SOFTWARE)
    if is_bits and software is not None and str(software.value).startswith("tifffile"):
        return values  # its default for arrays of truth values, of which true is meant to be 1
    top = np.iinfo(values.dtype).max
    if not np.isin(values, (0, top)).all():
        raise DataError(
            f"{path} declares that 0 is white (PhotometricInterpretation), but holds other values "
            f"than black and white, so that its labels are others as stored and as displayed; "
            f"write it again with black as 0."
        )
    return ~values


def stated_white(page: Any) -> int | None:
    """Value of white of 16-bit samples that use fewer bits, as the file states it; else `None`."""
    bits = page.bitspersample
    for code in (_MAX_SAMPLE_VALUE, _SMAX_SAMPLE_VALUE):
        tag = page.tags.get(code)
        # Writers also note the brightest pixel there: only 1023, 4095 and their like are a range.
        value = np.max(tag.value) if tag is not None and np.size(tag.value) else 0
        if bits == 16 and value in {2**n - 1 for n in range(9, 16)}:
            bits = int(value).bit_length()
    return 2**bits - 1 if 8 < bits < 16 else None


def tiff_palette(page: Any) -> np.ndarray:
    """Palette uint8 `(n, 3)` of a page, which TIFF stores in 16 bits."""
    table: np.ndarray = np.asarray(page.colormap).T >> 8
    return table.astype(np.uint8)
