"""Luminance inside a region, on its outline and in a ring around it."""

import math

import cv2
import numpy as np

from maskwright.data.geometry import luminance
from maskwright.tasks.regions.extraction.shapes import Box

_RING_SHARE = 0.1  # width of the ring around a region, as a share of its equivalent diameter
_MIN_RING_PX = 3
_MAX_MAGNITUDE = 1e30  # above it, sums of float32 overflow


class RegionIntensity:
    """Statistics of luminance that the measures of intensity are computed from.

    The mask is given within its box. `values` are those inside, sorted, float32; `ring_mean` is
    that inside where the region fills the image, `gradient` the mean length on the outline,
    `laplacian` the mean magnitude inside, away from the outline where possible.
    """

    def __init__(
        self, mask: np.ndarray, box: Box, image: np.ndarray, diameter_px: float, full_scale: float
    ) -> None:
        reach = max(_MIN_RING_PX, round(_RING_SHARE * diameter_px))
        top, left = max(0, box[0] - reach), max(0, box[1] - reach)
        bottom, right = min(image.shape[0], box[2] + reach), min(image.shape[1], box[3] + reach)
        gray = _gray(image[top:bottom, left:right])
        outside = np.ones(gray.shape, np.uint8)
        outside[box[0] - top : box[2] - top, box[1] - left : box[3] - left] = ~mask
        inside = outside == 0
        distances = cv2.distanceTransform(outside, cv2.DIST_L2, 5)
        ring = gray[(distances <= reach) & (outside > 0)]
        core = cv2.erode(1 - outside, np.ones((3, 3), np.uint8), borderValue=0) > 0
        slopes = [
            cv2.Sobel(gray, cv2.CV_32F, *axis, scale=1 / 8)[inside & ~core]
            for axis in ((1, 0), (0, 1))
        ]
        laplacian = np.abs(cv2.Laplacian(gray, cv2.CV_32F)[core if core.any() else inside])
        self.full_scale = full_scale
        self.values = np.sort(gray[inside])
        self.mean = float(self.values.mean(dtype=np.float64))
        self.std = float(self.values.std(dtype=np.float64))
        self.ring_mean = float(ring.mean(dtype=np.float64)) if ring.size else self.mean
        self.gradient = float(np.hypot(*slopes).mean(dtype=np.float64))
        self.laplacian = float(laplacian.mean(dtype=np.float64))

    @property
    def contrast(self) -> float:
        """Difference to the ring, as a share of the ring's mean or of a 255th of full scale."""
        return (self.mean - self.ring_mean) / max(abs(self.ring_mean), self.full_scale / 255)

    @property
    def sharpness(self) -> float:
        """Gradient on the outline over the deviation inside, or over a 255th of full scale."""
        return self.gradient / max(self.std, self.full_scale / 255)

    def quantile(self, share: float) -> float:
        """As `np.quantile`, which takes longer than all other measures of a small region."""
        position = share * (len(self.values) - 1)
        low = math.floor(position)
        lower = float(self.values[low])
        upper = float(self.values[min(low + 1, len(self.values) - 1)])
        return lower + (position - low) * (upper - lower)


def full_scale_of(image: np.ndarray) -> float:
    """Value that counts as full: 255 or 65535 by type, of other images the largest magnitude."""
    if image.dtype in (np.uint8, np.uint16):
        return float(np.iinfo(image.dtype).max)
    if image.dtype.kind == "f":
        image = image[np.isfinite(image)]
    extremes = float(image.min(initial=0)), float(image.max(initial=0))
    return max(-extremes[0], extremes[1]) or 1.0


def _gray(pixels: np.ndarray) -> np.ndarray:
    """Luminance, float32 `(h, w)`, finite."""
    if pixels.dtype.kind == "f":
        pixels = np.nan_to_num(pixels, nan=0.0, posinf=0.0, neginf=0.0)
        pixels = pixels.clip(-_MAX_MAGNITUDE, _MAX_MAGNITUDE)
    if pixels.ndim == 2:
        gray = pixels
    elif pixels.shape[2] == 3:
        gray = luminance(pixels)[..., 0]
    else:
        gray = pixels.mean(axis=2, dtype=np.float32)
    return np.ascontiguousarray(gray, np.float32)
