"""Draw people: articulated figures in poses and clothes of their own."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from maskwright.data.synthetic.synthetic_cells import smooth_noise

_SMOOTH = 3  # figures are drawn so many times as large, for smooth outlines
_SKIN = ((236, 188, 160), (198, 140, 104), (140, 92, 62), (92, 60, 42))

Point = tuple[float, float]


@dataclass(frozen=True)
class Figure:
    """One person on a patch, in front of nothing: colors, and how much each pixel is covered.

    `color` is float32 `(h, w, 3)`, 0 to 1, `cover` float32 `(h, w)`; the feet are at `foot`, row
    and column.
    """

    color: np.ndarray
    cover: np.ndarray
    foot: tuple[int, int]


def draw_figure(rng: np.random.Generator, height: float) -> Figure:
    """A person of a height, px, in some pose and clothes."""
    unit = height * _SMOOTH
    side = math.ceil(1.3 * height)
    middle, top = side * _SMOOTH / 2, 0.12 * unit
    color = np.zeros((side * _SMOOTH, side * _SMOOTH, 3), np.float32)
    cover = np.zeros(color.shape[:2], np.uint8)

    def point(origin: Point, length: float, degrees: float) -> Point:
        """A point at a length of a height from another, at an angle from straight down."""
        angle = math.radians(degrees)
        return origin[0] + length * math.sin(angle), origin[1] + length * math.cos(angle)

    def pixel(where: Point) -> tuple[int, int]:
        return round(middle + where[0] * unit), round(top + where[1] * unit)

    def limb(points: list[Point], width: float, paint: np.ndarray) -> None:
        path = np.array([pixel(p) for p in points], np.int32).reshape(-1, 1, 2)
        thickness = max(round(width * unit), 1)
        cv2.polylines(color, [path], False, paint.tolist(), thickness, cv2.LINE_8)
        cv2.polylines(cover, [path], False, 255, thickness, cv2.LINE_8)

    skin = np.array(_SKIN[int(rng.integers(len(_SKIN)))]) / 255 * rng.uniform(0.9, 1.05)
    shirt, trousers, hair = (
        rng.uniform(low, high, 3) for low, high in ((0, 1), (0, 0.7), (0, 0.4))
    )
    build = rng.uniform(0.85, 1.25)
    lean = rng.uniform(-12, 12)
    hip: Point = (0.0, 0.5)
    neck = point(hip, 0.31, 180 + lean)
    head = point(neck, 0.1, 180 + lean + rng.uniform(-15, 15))
    stride = rng.uniform(-30, 30)
    legs = []
    for part in (-1, 1):
        start = (hip[0] + part * 0.04 * build, hip[1])
        knee = point(start, 0.25, part * stride + rng.uniform(-6, 6))
        ankle = point(knee, 0.24, part * stride - abs(rng.normal(0, 18)))
        legs.append([start, knee, ankle])
    skirt = rng.random() < 0.25
    arms = []
    for part in (-1, 1):
        start = (neck[0] + part * 0.09 * build, neck[1] + 0.03)
        angle = part * rng.uniform(0, 25) - part * stride * 0.7
        if rng.random() < 0.2:
            angle = part * rng.uniform(60, 160)
        elbow = point(start, 0.16, angle)
        arms.append([start, elbow, point(elbow, 0.15, angle + rng.uniform(-10, 50))])

    sleeves = shirt * 0.9 if rng.random() < 0.6 else skin
    limb(arms[0], 0.05 * build, sleeves * 0.85)
    for leg, shade in zip(legs, (0.8, 1.0), strict=True):
        limb(leg, 0.085 * build, (skin if skirt else trousers) * shade)
        limb([leg[2], point(leg[2], 0.06, 75)], 0.05, hair * 0.6)
    if skirt:
        hem = [(-0.14, 0.72), (0.14, 0.72), (0.05, 0.48), (-0.05, 0.48)]
        corners = np.array([pixel(corner) for corner in hem], np.int32)
        cv2.fillPoly(color, [corners], trousers.tolist())
        cv2.fillPoly(cover, [corners], 255)
    limb([(neck[0], neck[1] + 0.07), (hip[0], hip[1] - 0.02)], 0.2 * build, shirt)
    limb([neck, head], 0.06, skin)
    limb(arms[1], 0.05 * build, sleeves)
    limb([arms[1][2], point(arms[1][2], 0.02, 0)], 0.045, skin)
    axes = (round(0.055 * unit), round(0.075 * unit))
    for where, paint in ((head, skin), ((head[0], head[1] - 0.025), hair)):
        half = (axes[0], axes[1] if where is head else round(axes[1] * 0.75))
        cv2.ellipse(color, pixel(where), half, lean, 0, 360, paint.tolist(), -1)
        cv2.ellipse(cover, pixel(where), half, lean, 0, 360, 255, -1)
    if rng.random() < 0.3:
        bag = point(arms[0][2], 0.05, 0)
        limb([bag, point(bag, 0.06, 0)], 0.1, rng.uniform(0, 1, 3))
    _texture(rng, color, cover)
    smaller = cv2.resize(color * (cover > 0)[..., None], (side, side), interpolation=cv2.INTER_AREA)
    share = cv2.resize(cover, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    foot_row = round((top + max(leg[2][1] for leg in legs) * unit) / _SMOOTH)
    return Figure(smaller / np.maximum(share, 1e-3)[..., None], share, (foot_row, side // 2))


def _texture(rng: np.random.Generator, color: np.ndarray, cover: np.ndarray) -> None:
    """Folds, stripes and light on the clothes, in place."""
    height, width = cover.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = 1 + rng.uniform(-0.3, 0.3) * (x / width - 0.5) * 2
    light += 0.12 * smooth_noise(rng, cover.shape, max(height / 25, 1.0))
    if rng.random() < 0.4:
        turn, period = rng.uniform(0, math.pi), height * rng.uniform(0.02, 0.06)
        stripes = np.sin((x * math.cos(turn) + y * math.sin(turn)) * (2 * math.pi / period))
        light += rng.uniform(0.1, 0.3) * (stripes > 0)
    np.clip(color * light[..., None], 0, 1, out=color)
