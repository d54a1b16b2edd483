"""Draw people in a street: articulated figures of very different sizes, shadows and clutter."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from maskwright.data.synthetic.figures import Figure, draw_figure
from maskwright.data.synthetic.synthetic_cells import smooth_noise
from maskwright.errors import ConfigError

_HEIGHT_PX = (30.0, 400.0)
_MIN_VISIBLE = 0.3  # of a figure, of its area, behind others and beyond the border
_MAX_TRIES = 40
_HORIZON = (0.25, 0.45)  # of the height of an image


@dataclass(frozen=True)
class Street:
    """A drawn image, uint8 `(h, w, 3)`, and the number of the person at each pixel, uint16, 0 for
    none; numbers are in the order from back to front.
    """

    image: np.ndarray
    instances: np.ndarray


def draw_street(rng: np.random.Generator, size: int, people: tuple[int, int] = (3, 8)) -> Street:
    """Draw one image, `size` px square, with `people`, fewest and most; `rng` alone decides.

    Heights are 30 to 400 px at a size of 512, and in proportion at others. Who stands lower stands
    in front, and mostly is larger. A person of whom less than 0.3 would be seen is put elsewhere.
    `ConfigError` if `size` is below 128 px.
    """
    if size < 128:
        raise ConfigError(f"Expected streets of at least 128 px; received {size}.")
    scale = size / 512
    horizon = rng.uniform(*_HORIZON) * size
    image = _background(rng, size, horizon)
    number = int(rng.integers(people[0], people[1], endpoint=True))
    low, high = (math.log(height * scale) for height in _HEIGHT_PX)
    heights = np.sort(np.exp(rng.uniform(low, high, number)))
    lit = rng.uniform(-1, 1)
    instances = np.zeros((size, size), np.uint16)
    areas: list[int] = []
    for height in heights.tolist():
        figure = draw_figure(rng, height)
        where = _place(rng, figure, height, horizon, instances, areas)
        if where is None:
            continue
        _shade(image, figure, where, height, lit)
        window, part = where
        cover = figure.cover[part][..., None]
        image[window] = image[window] * (1 - cover) + figure.color[part] * cover
        inside = figure.cover[part] >= 0.5
        instances[window][inside] = len(areas) + 1
        areas.append(int(np.count_nonzero(inside)))
    _clutter(rng, image, instances, scale)
    return Street(_photograph(rng, image), _renumbered(instances))


Where = tuple[tuple[slice, slice], tuple[slice, slice]]
"""Rows and columns of an image, and those of the patch of a figure."""


def _place(
    rng: np.random.Generator,
    figure: Figure,
    height: float,
    horizon: float,
    instances: np.ndarray,
    areas: list[int],
) -> Where | None:
    """Where a figure goes in front of the others; `None` where it would hide too much."""
    size = len(instances)
    total = np.count_nonzero(figure.cover >= 0.5)
    for _ in range(_MAX_TRIES):
        ground = horizon + (height / (_HEIGHT_PX[1] * size / 512)) * (size * 1.02 - horizon)
        row = int(ground + rng.normal(0, 0.06 * size)) - figure.foot[0]
        column = int(rng.uniform(0.02, 0.98) * size) - figure.foot[1]
        top, left = max(row, 0), max(column, 0)
        bottom, right = min(row + len(figure.cover), size), min(column + len(figure.cover), size)
        if top >= bottom or left >= right:
            continue
        window = slice(top, bottom), slice(left, right)
        part = slice(top - row, bottom - row), slice(left - column, right - column)
        inside = figure.cover[part] >= 0.5
        if np.count_nonzero(inside) < max(_MIN_VISIBLE * total, 1):
            continue
        hidden = np.bincount(instances[window][inside], minlength=len(areas) + 1)[1:]
        seen = np.bincount(instances.ravel(), minlength=len(areas) + 1)[1:] - hidden
        if all(s >= _MIN_VISIBLE * area for s, area in zip(seen, areas, strict=True)):
            return window, part
    return None


def _shade(image: np.ndarray, figure: Figure, where: Where, height: float, lit: float) -> None:
    """The shadow of a figure on the ground, in place."""
    (rows, columns), (part_rows, part_columns) = where
    size = len(image)
    foot = (
        columns.start - part_columns.start + figure.foot[1],
        rows.start - part_rows.start + figure.foot[0],
    )
    shadow = np.zeros((size, size), np.float32)
    reach = (round(foot[0] + lit * 0.4 * height), round(foot[1] - 0.05 * height))
    cv2.line(shadow, foot, reach, 1.0, max(round(0.12 * height), 1))
    shadow = cv2.GaussianBlur(shadow, (0, 0), max(0.03 * height, 0.8))
    image *= 1 - 0.45 * shadow[..., None]


def _background(rng: np.random.Generator, size: int, horizon: float) -> np.ndarray:
    """Sky, walls with windows, and ground, float32 `(size, size, 3)`, 0 to 1."""
    image = np.empty((size, size, 3), np.float32)
    image[:] = rng.uniform((0.4, 0.5, 0.6), (0.8, 0.9, 1.0))
    edge, row = 0, round(horizon)
    while edge < size:
        width = int(rng.uniform(0.08, 0.35) * size)
        top = int(rng.uniform(0, 0.9) * horizon)
        wall = rng.uniform(0.2, 0.85, 3)
        image[top:row, edge : edge + width] = wall
        step = max(int(rng.uniform(0.03, 0.08) * size), 4)
        for y in range(top + step // 2, row - step // 2, step):
            for x in range(edge + step // 3, edge + width - step // 2, step):
                image[y : y + step // 2, x : x + step // 2] = wall * rng.uniform(0.4, 1.3)
        edge += width
    image[row:] = rng.uniform(0.25, 0.7, 3)
    tiles = np.sin(np.arange(size)[:, None] * rng.uniform(0.02, 0.2)) * np.sin(
        np.arange(size)[None] * rng.uniform(0.02, 0.2)
    )
    image[row:] += 0.05 * tiles[row:, :, None]
    for sigma, strength in ((size / 40, 0.05), (2.0, 0.04)):
        image += strength * smooth_noise(rng, (size, size), sigma)[..., None]
    for _ in range(int(rng.integers(4, 12))):  # posts, boxes and bushes
        _thing(rng, image, horizon)
    return np.clip(image, 0, 1)


def _thing(rng: np.random.Generator, image: np.ndarray, horizon: float) -> None:
    """A post, a box, a bush or a ball in the street, in place."""
    size = len(image)
    x, y = rng.uniform(0, size), rng.uniform(horizon * 0.8, size)
    paint = rng.uniform(0.05, 0.95, 3).tolist()
    kind, large = rng.integers(4), rng.uniform(0.02, 0.16) * size
    if kind == 0:
        cv2.line(
            image, (int(x), int(y)), (int(x), int(y - 4 * large)), paint, max(int(large / 6), 1)
        )
    elif kind == 1:
        cv2.rectangle(image, (int(x), int(y)), (int(x + 2 * large), int(y - large)), paint, -1)
    elif kind == 2:
        for _ in range(12):
            spot = (int(x + rng.normal(0, large)), int(y - abs(rng.normal(0, large))))
            leaf = np.clip(np.array((0.15, 0.4, 0.12)) * rng.uniform(0.6, 1.5), 0, 1).tolist()
            cv2.circle(image, spot, max(int(large / 3), 1), leaf, -1)
    else:
        cv2.ellipse(image, (int(x), int(y)), (int(large), int(large / 2)), 0, 0, 360, paint, -1)


def _clutter(
    rng: np.random.Generator, image: np.ndarray, instances: np.ndarray, scale: float
) -> None:
    """A few posts in front of the people, in place; what they hide belongs to nobody."""
    size = len(image)
    for _ in range(int(rng.integers(0, 3))):
        x, width = int(rng.uniform(0, size)), max(int(rng.uniform(3, 10) * scale), 1)
        top = int(rng.uniform(0, 0.5) * size)
        image[top:, x : x + width] = rng.uniform(0.05, 0.9, 3)
        instances[top:, x : x + width] = 0


def _renumbered(instances: np.ndarray) -> np.ndarray:
    """Numbers of the people who are seen, from 1 without gaps."""
    present = np.unique(instances[instances > 0])
    new = np.zeros(int(instances.max(initial=0)) + 1, np.uint16)
    new[present] = np.arange(1, len(present) + 1)
    return new[instances]


def _photograph(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """A lens and a sensor; uint8."""
    picture = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.5, 1.0)))
    picture = (picture - 0.5) * rng.uniform(0.7, 1.1) + 0.5 + rng.uniform(-0.1, 0.1)
    picture = picture + 0.02 * rng.standard_normal(picture.shape, np.float32)
    return (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)
