"""Pixels without data: of the value that a file declares, and values that no sensor gives."""

import numpy as np

from maskwright.errors import DataError

_NEVER_MEASURED = -9999.0  # what GIS programs write where nothing was measured, declared or not
_BEYOND = 1e38  # the least float32, and what libraries fill arrays with
_MOST_SORTED = 100_000  # values that a median is taken of
_MOST_UNDECLARED = 0.5  # of an image: more is rather a failure of what wrote it


def fill_gaps(pixels: np.ndarray, nodata: float | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Pixels `(h, w, c)` with float values without data filled, and where no channel has any.

    Without data are values equal to `nodata` and, of floats, those that are not finite, -9999, and
    beyond 1e38. They become the median of their channel, which stands out as little as can be. The
    second result is bool `(h, w)`, or `None` where every pixel has data. Values that are not finite
    stay where other channels of the pixel have data.
    """
    if pixels.dtype.kind != "f":
        if nodata is None or nodata not in range(np.iinfo(pixels.dtype).max + 1):
            return pixels, None
        gap = (pixels == pixels.dtype.type(nodata)).all(axis=-1)
        return pixels, gap if gap.any() else None
    codes = [_NEVER_MEASURED] if nodata is None else [_NEVER_MEASURED, nodata]
    low, high = pixels.min(initial=np.inf), pixels.max(initial=-np.inf)
    if abs(low) < _BEYOND and abs(high) < _BEYOND and not any(low <= v <= high for v in codes):
        return pixels, None
    with np.errstate(invalid="ignore"):
        finite = np.abs(pixels) < _BEYOND
    void = ~finite
    for code in codes:
        void |= pixels == np.float32(code)
    gap = void.all(axis=-1)
    filled = pixels.copy()
    for channel in range(pixels.shape[-1]):
        values, empty = pixels[..., channel], void[..., channel]
        known = values[~empty]
        median = np.median(known[:: max(1, known.size // _MOST_SORTED)]) if known.size else 0
        filled[empty & (gap | np.isfinite(values)), channel] = median
    return filled, gap if gap.any() else None


def check_gaps(path: object, pixels: np.ndarray, gap: np.ndarray | None, declared: bool) -> None:
    """`DataError` of filled pixels that are not finite, or undeclared gaps in more than half."""
    if pixels.dtype.kind != "f":
        return
    partial = int((~np.isfinite(pixels)).any(axis=-1).sum())
    if partial:
        raise DataError(
            f"{path} holds NaN or infinite values in some channels of a pixel ({partial:,} px); "
            f"expected finite numbers, or NaN in every channel where there is no data."
        )
    if not declared and gap is not None and (share := gap.mean()) > _MOST_UNDECLARED:
        raise DataError(
            f"{path} holds no finite number in {share:.0%} of its pixels; export it again, or "
            f"declare the value for no data (`gdal_edit.py -a_nodata VALUE`) if that is meant."
        )
