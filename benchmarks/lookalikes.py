"""Drawn images whose kinds are alike from afar: retinas, lesions on skin, fields of cells, lungs.

Two seeds give two patients, so that none is a copy of another; `COPIES` make copies.
"""

from collections.abc import Callable

import cv2
import numpy as np

Image = np.ndarray
"""uint8 `(h, w, 3)`."""

SIDE = 512  # of the images, pixels


def _grid(size: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    return y, x


def _noise(rng: np.random.Generator, sigma: float, deviation: float) -> np.ndarray:
    """Gray noise `(side, side, 1)`, blurred, of a standard deviation."""
    noise = cv2.GaussianBlur(rng.normal(0, 1, (SIDE, SIDE)).astype(np.float32), (0, 0), sigma)
    return (noise * (deviation / noise.std()))[..., None]


def _finished(image: np.ndarray) -> Image:
    return np.broadcast_to(image, (SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)


def retina(seed: int) -> Image:
    """Fundus photograph: one disc for all, optic disc left or right, vessels of its own."""
    rng = np.random.default_rng([1, seed])
    y, x = _grid()
    distance = x * x + y * y
    image = (np.array([180, 90, 40]) + rng.normal(0, 8, 3)) * (1 - 0.35 * distance)[..., None]
    middle = np.array([rng.choice([-0.4, 0.4]) + rng.normal(0, 0.03), rng.normal(0, 0.04)])
    glow = np.exp(-((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / 0.012)[..., None]
    vessels = np.zeros((SIDE, SIDE), np.float32)
    for _ in range(12):
        angle, point, points = rng.uniform(0, 2 * np.pi), middle, [middle]
        for _ in range(40):
            angle += rng.normal(0, 0.18)
            point = point + 0.04 * np.array([np.cos(angle), np.sin(angle)])
            points.append(point)
        line = ((np.array(points) + 1) / 2 * SIDE * 16).astype(np.int32)
        cv2.polylines(vessels, [line], False, 1.0, int(rng.integers(2, 5)), cv2.LINE_AA, shift=4)
    image = (image + glow * np.array([60, 90, 60])) * (1 - 0.45 * vessels[..., None])
    image = image + _noise(rng, 0.8, 2)
    image[distance > 0.85] = 2
    return _finished(image)


def skin(seed: int) -> Image:
    """Dermoscopy: one round lesion in the middle of skin, with texture and hairs of its own."""
    rng = np.random.default_rng([2, seed])
    y, x = _grid()
    angle, radius = np.arctan2(y, x), 0.45 + rng.normal(0, 0.03)
    for wave in range(2, 6):
        radius = radius + rng.normal(0, 0.02) * np.cos(wave * angle + rng.uniform(0, 6))
    distance = np.hypot(x - rng.normal(0, 0.04), y - rng.normal(0, 0.04))
    lesion = (1 / (1 + np.exp((distance - radius) / 0.03)))[..., None]
    image = (np.array([200, 160, 140]) + rng.normal(0, 6, 3)) * (1 - 0.15 * (x * x + y * y))[
        ..., None
    ]
    image = image * (1 - 0.55 * lesion) + _noise(rng, 6, 9) * lesion + _noise(rng, 2, 2.5)
    for _ in range(rng.integers(0, 5)):
        ends = rng.integers(0, SIDE, (2, 2)).tolist()
        cv2.line(image, *ends, (60, 40, 30), 2, cv2.LINE_AA)
    return _finished(image + _noise(rng, 0.8, 2))


def cells(seed: int) -> Image:
    """Fluorescence: ellipses of several brightnesses on black."""
    rng = np.random.default_rng([3, seed])
    image = np.full((SIDE, SIDE, 1), 20, np.float32)
    for _ in range(30):
        center, axes = rng.integers(0, SIDE, 2).tolist(), rng.integers(14, 30, 2).tolist()
        brightness = float(rng.uniform(90, 200))
        cv2.ellipse(image, center, axes, float(rng.uniform(0, 180)), 0, 360, brightness, -1)
    return _finished(cv2.GaussianBlur(image, (0, 0), 2)[..., None] + _noise(rng, 0.8, 2))


def lungs(seed: int) -> Image:
    """Radiograph: lungs, spine and ribs in nearly the same places, with tissue of its own."""
    rng = np.random.default_rng([4, seed])
    y, x = _grid()
    image = np.full((SIDE, SIDE), 150, np.float32) + 60 * np.exp(-((x / 0.08) ** 2))
    for side in (-0.42, 0.42):
        across, along = x - side - rng.normal(0, 0.02), y + 0.05 - rng.normal(0, 0.02)
        distance = np.hypot(across / 0.3, along / 0.62)
        image -= 90 / (1 + np.exp((distance - 1) / 0.08))
    shift = rng.normal(0, 0.01)
    for rib in range(9):
        height = -0.6 + 0.14 * rib + shift + rng.normal(0, 0.008)
        bent = 0.15 * np.abs(x) ** 1.5 * (1 + rng.normal(0, 0.05))
        image += 22 * np.exp(-(((y - height - bent) / 0.022) ** 2))
    return _finished(image[..., None] + _noise(rng, 4, 3) + _noise(rng, 0.8, 2))


KINDS: dict[str, Callable[[int], Image]] = {
    "retina": retina,
    "skin": skin,
    "cells": cells,
    "lungs": lungs,
}


def _jpeg(quality: int) -> Callable[[Image], Image]:
    def coded(image: Image) -> Image:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return cv2.imdecode(data, cv2.IMREAD_COLOR)

    return coded


def _resized(width: int, height: int) -> Callable[[Image], Image]:
    return lambda image: cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _annotated(image: Image) -> Image:
    """Measured and written on."""
    image = cv2.rectangle(image.copy(), (100, 100), (220, 200), (255, 255, 0), 2)
    return cv2.putText(image, "RIGHT 12", (20, 480), 0, 1.2, (255, 255, 255), 2)


COPIES: dict[str, Callable[[Image], Image]] = {
    "jpeg_90": _jpeg(90),
    "jpeg_50": _jpeg(50),
    "half_size": _resized(256, 256),
    "fifth_size": _resized(101, 97),
    "brighter": lambda image: np.clip(image * 1.2 + 15, 0, 255).astype(np.uint8),
    "gamma": lambda image: (255 * (image / 255) ** 0.7).astype(np.uint8),
    "mirrored": lambda image: np.ascontiguousarray(image[:, ::-1]),
    "upside_down": lambda image: np.ascontiguousarray(image[::-1]),
    "quarter_turn": lambda image: np.ascontiguousarray(np.rot90(image)),
    "shifted_2_percent": lambda image: np.ascontiguousarray(image[10:, :-10]),
    "shifted_5_percent": lambda image: np.ascontiguousarray(image[26:, :-26]),
    "annotated": _annotated,
    "blurred": lambda image: cv2.GaussianBlur(image, (0, 0), 1.5),
}
"""What a copy may have gone through, by name."""
