"""Pixels of an image in the channels and the range that a model takes."""

import warnings

import numpy as np

from maskwright.data.geometry import luminance
from maskwright.data.samples import counted
from maskwright.errors import DataError, MaskwrightWarning
from maskwright.imageio import Header
from maskwright.model_card import PERCENTILES, ModelCard

_ENDS = (0.1, 99.9)  # percentages of the pixels of an image beyond which values do not count
_SAMPLED = 100_000  # pixels of an image that are compared with those of training
_DARK = 1 / 8  # of the range of training: what images of another type that are darker cannot mean
_MUCH_DARKER = 1 / 4  # of the range of training: an image below it, and the median, is reported
_WHITE = 65535
_FEWER_BITS = 2**14  # 16-bit pixels below are rather those of a camera of 10, 12 or 14 bits
_BRIGHT = 4.0  # ranges of training beyond which pixels of another type cannot be meant


def pixel_percentiles(pixels: np.ndarray) -> tuple[float, ...]:
    """Values at `PERCENTILES` of some of the pixels, for a model card."""
    flat = pixels.reshape(-1)
    sample = np.asarray(flat[:: max(len(flat) // (10 * _SAMPLED), 1)], np.float64)
    return tuple(float(f"{v:.6g}") for v in np.nanpercentile(sample, PERCENTILES))


def fit_range(image: np.ndarray, card: ModelCard) -> np.ndarray:
    """Image `(h, w, c)` in the range of its type or, where `pixel_range` states one, of training.

    Raises `DataError` for an array that is no image, and as `pixel_warnings`, which are given as
    `MaskwrightWarning`.
    """
    image = checked_image(image)
    for warning in pixel_warnings(image, card):
        warnings.warn(warning, MaskwrightWarning, stacklevel=3)
    return scale_stated(image, card)


def check_pages(source: object, header: Header, card: ModelCard) -> None:
    """Raise `DataError` for a TIFF of several pages, unless they are the channels of the model."""
    if header.pages > 1 and header.channels != card.channels:
        raise DataError(
            f"{source} has {header.pages} pages, and the model takes images of "
            f"{counted(card.channels, 'channel')}; write the page meant to a file."
        )


def spread_bits(pixels: np.ndarray, white: int | None, card: ModelCard) -> np.ndarray:
    """Pixels of a file that states fewer than its 16 bits, scaled to 16 for a model of 8.

    `white` is that of `Header`; pixels stay as they are where the card states a range or has
    learned from 16 bits, of files that may have stated as little.
    """
    if white is None or card.dtype != "uint8" or card.pixel_range is not None:
        return pixels
    scaled = pixels.astype(np.float32) * np.float32(_WHITE / white)
    return scaled.round().clip(0, _WHITE).astype(np.uint16)


def pixel_warnings(image: np.ndarray, card: ModelCard) -> list[str]:
    """Sentences on an image of other channels than in training, or much darker or brighter.

    Raises `DataError` for one of another type than in training that is hardly brighter than black
    or far beyond white, and of 16 bits where training had 8 if 14 or fewer would do.
    """
    pixels = image.reshape(-1, image.shape[-1])
    sample = pixels[:: max(image.size // _SAMPLED, 1)]
    found = _range_warning(sample, card), _channel_warning(sample, card.channels)
    return [warning for warning in found if warning is not None]


def _channel_warning(pixels: np.ndarray, channels: int) -> str | None:
    """Sentence on pixels `(n, c)` that `model_pixels` converts with a loss or a guess."""
    received = pixels.shape[-1]
    is_gray = received == 3 and channels == 1 and bool((pixels == pixels[:, :1]).all())
    if received == channels or received > 4 or channels not in (1, 3) or is_gray:
        return None
    done = ["the last channel is dropped as alpha"] if received in (2, 4) else []
    if channels == 1 and received > 2:
        done.append("colors are turned into gray")
    elif channels == 3 and received < 3:
        done.append("gray is taken for red, green and blue")
    return (
        f"The number of channels of an image is {received}, and the model was trained on "
        f"{channels}: {' and '.join(done)}, also of further images."
    )


def _range_warning(pixels: np.ndarray, card: ModelCard) -> str | None:
    """Sentence on pixels `(n, c)` that are darker or brighter than those of training."""
    if len(card.percentiles) != len(PERCENTILES):
        return None
    low, high = np.percentile(_scaled(scale_stated(pixels, card), card.dtype), _ENDS)
    least, _, middle, bright, most = card.percentiles
    span = max(most - least, 1e-6)
    trained = f"training had {least:g} to {most:g} of {card.dtype}"
    if pixels.dtype.name != card.dtype and card.pixel_range is None and high > low:
        far = low < least - _BRIGHT * span or high > most + _BRIGHT * span
        may_be_fewer = pixels.dtype == np.uint16 and card.dtype == "uint8"
        few_bits = may_be_fewer and pixels.max() < _FEWER_BITS
        if far or few_bits or high < least + _DARK * span:
            bottom, top = np.percentile(pixels, _ENDS)
            raise DataError(
                f"The image has pixels of {pixels.dtype} from {bottom:g} to {top:g}, and "
                f"{trained}: state what is black and white with --pixel-range LOW HIGH (in Python, "
                f"pixel_range), or convert the image."
            )
    is_darker = high < min(middle, least + _MUCH_DARKER * span)
    if high == low or not (is_darker or low > bright):  # a blank image tells of no range
        return None
    return (
        f"An image is much {'darker' if is_darker else 'brighter'} than those that the model "
        f"was trained on ({trained}), and further ones may be: what is predicted may be wrong."
    )


def scale_stated(images: np.ndarray, card: ModelCard) -> np.ndarray:
    """Images in the range of training, float32, where `pixel_range` states theirs."""
    if card.pixel_range is None:
        return images
    (low, high), (black, white) = card.pixel_range, card.value_range
    scaled: np.ndarray = images.astype(np.float32)
    return (scaled - low) * ((white - black) / (high - low)) + black


def _scaled(pixels: np.ndarray, dtype: str) -> np.ndarray:
    """Pixels of a known type, float32, with 8 and 16 bits turned into each other."""
    values: np.ndarray = pixels.astype(np.float32, copy=False)
    if (pixels.dtype.name, dtype) == ("uint16", "uint8"):
        return values / 257  # 65535 / 255
    return values * 257 if (pixels.dtype.name, dtype) == ("uint8", "uint16") else values


def model_pixels(images: np.ndarray, card: ModelCard) -> np.ndarray:
    """float32 images `(b, h, w, channels)` as the model of a card takes them; see `Predictor`."""
    channels = card.channels
    pixels = _scaled(known_pixels(images), card.dtype)
    if images.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise DataError("The image holds NaN or infinite pixels; expected finite numbers.")
    received = pixels.shape[-1]
    if received == channels:
        return pixels
    if channels == 1 and received in (3, 4):
        return luminance(pixels[..., :3])
    if channels in (1, 3) and received in (1, 2):
        return pixels[..., :1].repeat(channels, axis=-1)
    if channels == 3 and received == 4:
        return pixels[..., :3]
    raise DataError(
        f"The model takes images of {channels} channels; this one has {received}, which cannot be "
        f"turned into them."
    )


def checked_image(image: np.ndarray) -> np.ndarray:
    """The same pixels, as `known_pixels`; `DataError` where it is not of shape `(h, w, c)`."""
    if not isinstance(image, np.ndarray):
        raise DataError(
            f"Expected an image as a NumPy array, received a {type(image).__name__}; read_image "
            f"reads a file, and np.asarray turns a list into an array."
        )
    if image.ndim != 3 or 0 in image.shape:
        raise DataError(
            f"Expected an image of shape (height, width, channels), received {image.shape}."
        )
    return known_pixels(image)


def known_pixels(images: np.ndarray) -> np.ndarray:
    """The same pixels as uint8, uint16 or float32; `DataError` for other integers."""
    if images.dtype.kind == "f":
        return images.astype(np.float32, copy=False)
    if images.dtype not in (np.uint8, np.uint16):
        raise DataError(f"Expected pixels of uint8, uint16 or float, received {images.dtype}.")
    return images
