"""Whether two images show the same picture: they are registered, and their detail is compared.

Images of one kind are alike from afar: discs of the retina, lesions on skin, lungs. A copy agrees
in what only it can have, such as vessels, hairs and speckle, in small tiles, where neither light
nor outline counts, once it lies on its original.
"""

from functools import cache

import cv2
import numpy as np

from maskwright.data.geometry import resize_image

SIDE = 256
"""Side of the views that decide, pixels."""

_TILES = 8  # along each side
_MIN_TILES = 10  # with detail, of 64
_MIN_CONTRAST = 2.0  # standard deviation of the detail in a tile, of 255; less is noise
_FINE_SIGMA = 1.5  # pixels
_COARSE = 0.024  # of the side
# Measured by benchmarks/duplicates.py: the published copies of BUSI have 0.56, 0.75 and 0.66 or
# more, drawn images of different retinas, skin, cells or lungs fall below at least one.
_MIN_QUARTILE, _MIN_SHARE = 0.35, 0.7
_MIN_FINE = ((128, SIDE), (0.85, 0.6))  # by side: small views show what images of a kind share
_AGREES = 0.5  # correlation of a tile
# Of thumbnails, what ends the search early. The lowest of copies in benchmarks/duplicates.py are
# 0.48 and 0.87; five iterations correlate as well as fifty.
_MIN_RESPONSE = 0.25  # of the phase correlation
_MIN_CORRELATION = 0.7  # of the registered detail
_FIRST_ITERATIONS, _ITERATIONS = 5, 50


def view(image: np.ndarray, side: int) -> np.ndarray:
    """Gray uint8 `(side, side)` of an image `(h, w, c)` of any type, its contrast stretched."""
    # Shrunk first: the mean over channels of a whole image costs more than all the rest.
    small = resize_image(image, (side, side)).astype(np.float32)
    gray = np.nan_to_num(small, posinf=0, neginf=0).mean(axis=-1)
    low, high = np.percentile(gray, (1, 99))
    return ((gray - low) * (255 / max(float(high - low), 1e-6))).clip(0, 255).astype(np.uint8)


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Square `(n, n)` in one of eight orientations: quarter turns; from 4 on mirrored first."""
    mirrored = pixels[:, ::-1] if orientation >= 4 else pixels
    return np.ascontiguousarray(np.rot90(mirrored, orientation % 4))


def detail(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """What a Gaussian of `sigma` pixels takes away, float32."""
    wide = pixels.astype(np.float32)
    return wide - cv2.GaussianBlur(wide, (0, 0), sigma)


def register(first: np.ndarray, second: np.ndarray, warp: np.ndarray) -> np.ndarray:
    """Affine map `(2, 3)` from pixels of the first view to those of the second, float32.

    `warp` is where the search starts, and the result where nothing better is found. Source:
    Evangelidis and Psarakis, enhanced correlation coefficient, 2008.
    """
    return _maximize(_evened(first), _evened(second), warp, _ITERATIONS)[1]


def register_roughly(first: np.ndarray, second: np.ndarray) -> np.ndarray | None:
    """As `register`, from the shift of the phase correlation; `None` if they hardly correlate."""
    one, other = _evened(first), _evened(second)
    shift, response = cv2.phaseCorrelate(one, other, _window(len(one)))
    if response < _MIN_RESPONSE:
        return None
    warp = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    correlation, warp = _maximize(one, other, warp, _FIRST_ITERATIONS)
    return warp if correlation >= _MIN_CORRELATION else None


@cache
def _window(side: int) -> np.ndarray:
    return cv2.createHanningWindow((side, side), cv2.CV_32F)


def _maximize(
    one: np.ndarray, other: np.ndarray, warp: np.ndarray, iterations: int
) -> tuple[float, np.ndarray]:
    """Correlation of evened views, and the map that gives it; 0 if they have nothing in common."""
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, iterations, 1e-4)
    try:
        correlation, better = cv2.findTransformECC(
            one, other, warp.copy(), cv2.MOTION_AFFINE, criteria, None, 5
        )
    except cv2.error:
        return 0.0, warp
    return correlation, np.asarray(better, np.float32)


def look_alike(first: np.ndarray, second: np.ndarray, warp: np.ndarray) -> bool:
    """Whether registered views agree in most tiles where either has detail, but for the finest."""
    contrasts, correlations = _tiles(first, second, warp, max(_COARSE * len(first), _FINE_SIGMA))
    compared = correlations[contrasts.max(axis=0) > _MIN_CONTRAST]
    if len(compared) < _MIN_TILES:
        return False
    agreeing = float((compared > _AGREES).mean())
    return agreeing >= _MIN_SHARE and float(np.quantile(compared, 0.25)) >= _MIN_QUARTILE


def same_picture(first: np.ndarray, second: np.ndarray, warp: np.ndarray, side: int) -> bool:
    """Whether two views of one side show the same picture, down to the finest detail.

    `warp` maps thumbnails of `side` pixels onto each other, as a start.
    """
    for views in ((_halved(first), _halved(second)), (first, second)):  # coarse to fine
        warp = register(*views, _scaled(warp, len(views[0]) / side))
        side = len(views[0])
    if not look_alike(first, second, warp):
        return False
    contrasts, correlations = _tiles(first, second, warp, _FINE_SIGMA)
    # Compression and blur take the finest detail from a copy: only what both have is compared.
    compared = correlations[contrasts.min(axis=0) > _MIN_CONTRAST]
    least = float(np.interp(side, *_MIN_FINE))
    return len(compared) >= _MIN_TILES and float(np.median(compared)) >= least


def _halved(pixels: np.ndarray) -> np.ndarray:
    return cv2.resize(pixels, (len(pixels) // 2, len(pixels) // 2), interpolation=cv2.INTER_AREA)


def _scaled(warp: np.ndarray, factor: float) -> np.ndarray:
    """An affine map for views that are larger by a factor."""
    return warp * np.array([1, 1, factor], np.float32)


def _evened(pixels: np.ndarray) -> np.ndarray:
    """Detail with the same contrast everywhere, so that neither outline nor writing decides."""
    sigma = len(pixels) / 20
    sharp = detail(pixels, sigma)
    local = np.sqrt(cv2.GaussianBlur(sharp * sharp, (0, 0), sigma))
    return np.asarray(sharp / (local + _MIN_CONTRAST), np.float32)


def _tiles(
    first: np.ndarray, second: np.ndarray, warp: np.ndarray, sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Contrasts `(2, tiles)` and correlations `(tiles,)` of the detail, where both views reach."""
    side = len(first)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(second, warp, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT)
    inside = cv2.warpAffine(np.ones((side, side), np.float32), warp, (side, side), flags=flags)
    step = side // _TILES

    def cut(pixels: np.ndarray) -> np.ndarray:
        whole = pixels[: step * _TILES, : step * _TILES].reshape(_TILES, step, _TILES, step)
        return whole.swapaxes(1, 2).reshape(_TILES**2, -1)

    reached = cut(inside).mean(axis=1) > 0.9
    parts = [cut(detail(each, sigma))[reached] for each in (first, moved)]
    a, b = (part - part.mean(axis=1, keepdims=True) for part in parts)
    contrasts = np.stack([a.std(axis=1), b.std(axis=1)])
    return contrasts, (a * b).mean(axis=1) / np.maximum(contrasts.prod(axis=0), 1e-3)
