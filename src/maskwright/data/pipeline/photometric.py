"""Augmentation of light and lens: brightness, contrast, gamma, blur and noise."""

import math

import cv2
import numpy as np

from maskwright.data.geometry import by_channels
from maskwright.data.pipeline.augmentation import Augmentation


def change_tone(
    image: np.ndarray,
    augmentation: Augmentation,
    rng: np.random.Generator,
    value_range: tuple[float, float] | None,
) -> np.ndarray:
    """Change light and lens; float32, contiguous, clipped to the range of values."""
    amount = augmentation
    added, factor, exponent = 0.0, 1.0, 1.0
    if applies(rng, amount.brightness, amount.brightness_probability):
        added = rng.uniform(-1, 1) * amount.brightness
    if applies(rng, amount.contrast, amount.contrast_probability):
        factor = 1 + rng.uniform(-1, 1) * amount.contrast
    if applies(rng, amount.gamma, amount.gamma_probability):
        exponent = math.exp(rng.uniform(-1, 1) * math.log1p(amount.gamma))
    blurs = applies(rng, amount.blur, amount.blur_probability)
    blur = rng.uniform(0, amount.blur) if blurs else 0.0
    is_noisy = applies(rng, amount.noise, amount.noise_probability)
    noise = rng.uniform(0, amount.noise) if is_noisy else 0.0
    tone = (added, factor, exponent) != (0.0, 1.0, 1.0)
    if not tone and blur == 0 and noise == 0:
        return np.array(image, np.float32, order="C")

    if value_range is None:
        is_byte = image.dtype == np.uint8
        value_range = (0.0, 255.0) if is_byte else (float(image.min()), float(image.max()))
    low, high = value_range
    span = max(high - low, 1e-6)
    shape = image.shape
    flat = np.ascontiguousarray(image).reshape(shape[0], -1)
    if tone:
        mean = min(max((cv2.mean(flat)[0] - low) / span, 0.0), 1.0) ** exponent

        def adjust(values: np.ndarray) -> np.ndarray:
            share = np.clip((values.astype(np.float32) - low) / span, 0, 1)
            if exponent != 1:
                share = share**exponent
            share = (share - mean) * factor + (mean + added)
            return (np.clip(share, 0, 1) * span + low).astype(np.float32)

        # A byte has 256 values, so that a table does the whole of it.
        flat = cv2.LUT(flat, adjust(np.arange(256))) if flat.dtype == np.uint8 else adjust(flat)
    changed = flat.astype(np.float32, copy=False).reshape(shape)
    if blur > 0:
        changed = by_channels(lambda part: cv2.GaussianBlur(part, (0, 0), blur), changed, 128)
    if noise > 0:
        changed = changed + rng.standard_normal(shape, np.float32) * np.float32(noise * span)
        changed = np.clip(changed, low, high, out=changed)
    return changed


def applies(rng: np.random.Generator, amount: float, probability: float) -> bool:
    """Whether a change of some amount is made, by its probability."""
    return amount > 0 and rng.random() < probability
