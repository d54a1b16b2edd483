"""Draw stained cells, tissue and light, of which the built-in data sets are made."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

# Optical densities of haematoxylin and eosin in red, green and blue: Ruifrok and Johnston, 2001.
_HAEMATOXYLIN = np.array([0.65, 0.70, 0.29], np.float32)
_EOSIN = np.array([0.10, 0.95, 0.28], np.float32)
_GAP_PX = 2  # between cells that are apart
_MIN_VISIBLE = 0.35  # of a cell that the border cuts

CellPlace = tuple[tuple[slice, slice], tuple[slice, slice]]
"""Where a cell lies: rows and columns of the scene, and those of its patch."""


@dataclass(frozen=True)
class Slide:
    """What the images of one slide share.

    `stain` is the strength of haematoxylin and eosin, 1 as usual; `lamp` the color of the light,
    red, green and blue, 0 to 1; `coverage` the share of the area in cells, `spindles` that of
    spindles among the cells.
    """

    stain: tuple[float, float]
    lamp: tuple[float, float, float]
    coverage: float
    spindles: float


def draw_slide(rng: np.random.Generator) -> Slide:
    """Staining, light and mixture of cells of one slide."""
    stain = tuple(rng.uniform(0.75, 1.25, 2).tolist())
    lamp = tuple((np.array([0.965, 0.945, 0.95]) * rng.uniform(0.97, 1.0, 3)).tolist())
    return Slide(stain, lamp, float(rng.uniform(0.25, 0.5)), float(rng.uniform(0.35, 0.65)))


@dataclass(frozen=True)
class Scene:
    """One drawn image, uint8 `(h, w, 3)`, and its ground truth.

    `labels`, uint8 `(h, w)`, are 0 background, 1 round and 2 spindle; `instances`, uint16 `(h, w)`,
    number the cells from 1; `kinds` holds the label of each cell.
    """

    image: np.ndarray
    labels: np.ndarray
    instances: np.ndarray
    kinds: tuple[int, ...]


@dataclass(frozen=True)
class Cell:
    """A cell on a square patch: where it is, how much it covers, and its two stains."""

    inside: np.ndarray
    cover: np.ndarray
    blue: np.ndarray
    pink: np.ndarray


@dataclass(frozen=True)
class CellKind:
    """What cells of a kind look like; of two numbers, each cell gets one between them.

    `width_px` is half the width, `ratio` length over width, `wobble` the irregularity of the
    outline as a share, `nucleus` its size along and across, as a share of the usual, `grains` their
    strength, `None` for smooth cells; `coarse` ones are seen in every cell.
    """

    width_px: tuple[float, float]
    ratio: tuple[float, float]
    bend: float = 0.0
    wobble: float = 0.05
    nucleus: tuple[float, float] = (1.0, 1.0)
    grains: tuple[float, float] | None = None
    coarse: bool = False


ROUND, SPINDLE = 1, 2

CELL_KINDS = {
    ROUND: CellKind((9, 14), (1.0, 1.4)),
    SPINDLE: CellKind((6, 8.5), (1.9, 3.3), 0.35, 0.07, (0.8, 1.15), (0.12, 0.36)),
}
"""What cells of each label look like; both take the same stains."""


def draw_cell(rng: np.random.Generator, kind: CellKind) -> Cell:
    """Draw one cell; the state of `rng` alone decides which of its kind."""
    width = rng.uniform(*kind.width_px)
    length = width * rng.uniform(*kind.ratio)
    bend = rng.uniform(-kind.bend, kind.bend) if kind.bend else 0.0
    reach = math.ceil(length * 1.25) + 2
    turn = rng.uniform(0, 2 * math.pi)
    cosine, sine = math.cos(turn), math.sin(turn)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    along, across = x * cosine + y * sine, y * cosine - x * sine
    across = across - bend * width * ((along / length) ** 2 - 0.5) * 2
    angle = np.arctan2(across / width, along / length)
    outline = np.ones_like(angle)
    for waves in (2, 3, 4, 5):
        outline += rng.normal(0, kind.wobble / waves) * np.cos(waves * angle + rng.uniform(0, 6.3))
    radius = np.hypot(along / length, across / width) / outline  # 1 on the outline
    depth_px = (1 - radius) * width
    cover = np.clip(depth_px / 1.5 + 0.5, 0, 1)

    rim = np.exp(-(((depth_px - 1.5) / 1.3) ** 2))
    shift_along, shift_across = rng.uniform(-0.15, 0.15, 2)
    share = rng.uniform(0.42, 0.56)
    from_middle = (along / length - shift_along) / (share * kind.nucleus[0])
    aside = (across / width - shift_across) / (share * kind.nucleus[1])
    nucleus_radius = np.hypot(from_middle, aside)
    nucleus = np.clip((1 - nucleus_radius) * width * share / 1.5 + 0.5, 0, 1)
    chromatin = smooth_noise(rng, cover.shape, 1.4)
    blue = nucleus * (rng.uniform(0.55, 0.85) + 0.10 * chromatin) + 0.10 + 0.06 * rim
    pink = rng.uniform(0.30, 0.48) + 0.16 * rim + 0.03 * chromatin
    if kind.grains is not None:
        dots = smooth_noise(rng, cover.shape, 1.0 if kind.coarse else 0.8)
        if kind.coarse:
            around = (depth_px > 0.5) & (nucleus < 0.3)
            dots = np.clip(3 * (dots - np.quantile(dots[around], 0.6)), 0, 1)
        else:
            dots = np.clip(dots - 0.5, 0, 2)
        depth = np.clip(depth_px / (1 if kind.coarse else 2), 0, 1)
        blue = blue + dots * rng.uniform(*kind.grains) * depth
    return Cell(depth_px > 0, cover, blue.astype(np.float32), pink.astype(np.float32))


def place(rng: np.random.Generator, inside: np.ndarray, instances: np.ndarray) -> CellPlace | None:
    """Where a cell goes, mostly beside a neighbor; `None` where it would cover others."""
    neighbor = bool(instances.any()) and rng.random() < 0.6
    for _ in range(12):
        window, part = _somewhere(rng, len(inside), len(instances))
        here, taken = inside[part], instances[window] > 0
        area = int(here.sum())
        overlap = int((here & taken).sum())
        enough = area >= _MIN_VISIBLE * inside.sum()
        if enough and (overlap > 0 or not neighbor) and overlap <= 0.12 * area:
            return window, part
    return None


def place_apart(
    rng: np.random.Generator,
    inside: np.ndarray,
    instances: np.ndarray,
    min_visible: float = _MIN_VISIBLE,
) -> CellPlace | None:
    """Where a cell goes apart, `min_visible` of it inside the border; `None` without room."""
    reach = np.ones((2 * _GAP_PX + 1, 2 * _GAP_PX + 1), np.uint8)
    near = cv2.dilate((instances > 0).astype(np.uint8), reach) > 0
    for _ in range(30):
        window, part = _somewhere(rng, len(inside), len(instances))
        here = inside[part]
        if (here & near[window]).any() or here.sum() < min_visible * inside.sum():
            continue
        if cv2.connectedComponents(here.astype(np.uint8))[0] == 2:
            return window, part
    return None


def _somewhere(rng: np.random.Generator, side: int, size: int) -> CellPlace:
    """A patch of a side anywhere in a scene, at most a third of it beyond the border."""
    top, left = (int(value) for value in rng.integers(-side // 3, size - side * 2 // 3, 2))
    first_row, first_column = max(top, 0), max(left, 0)
    last_row, last_column = min(top + side, size), min(left + side, size)
    window = slice(first_row, last_row), slice(first_column, last_column)
    rows = slice(first_row - top, last_row - top)
    return window, (rows, slice(first_column - left, last_column - left))


def tissue(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Densities of both stains between the cells: clouds, fibres, and debris out of focus."""
    shape = (size, size)
    clouds = smooth_noise(rng, shape, 18)
    fibres = cv2.blur(rng.standard_normal(shape, np.float32), (1, 15))
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), float(rng.uniform(0, 180)), 1.5)
    fibres = cv2.warpAffine(fibres, turn, shape, borderMode=cv2.BORDER_REFLECT)
    pink = np.clip(0.09 + 0.045 * clouds + 0.07 * fibres, 0, None)
    blue = np.clip(0.02 + 0.01 * smooth_noise(rng, shape, 9), 0, None)
    debris = np.zeros(shape, np.float32)
    for _ in range(rng.poisson(size * size / 4000)):
        middle = tuple(int(value) for value in rng.integers(0, size, 2))
        cv2.circle(debris, middle, int(rng.integers(1, 5)), float(rng.uniform(0.1, 0.5)), -1)
    debris = cv2.GaussianBlur(debris, (0, 0), float(rng.uniform(1, 2)))
    return (blue + debris).astype(np.float32), (pink + 0.4 * debris).astype(np.float32)


def photograph(
    rng: np.random.Generator, blue: np.ndarray, pink: np.ndarray, slide: Slide
) -> np.ndarray:
    """Light through both stains by the law of Beer and Lambert, a lens and a sensor; uint8."""
    size = blue.shape[0]
    density = blue[..., None] * (_HAEMATOXYLIN * slide.stain[0] * 1.25)
    density += pink[..., None] * (_EOSIN * slide.stain[1])
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    tilt = rng.uniform(-0.12, 0.12, 2)
    light = 1 + tilt[0] * x + tilt[1] * y - 0.25 * (x**2 + y**2)
    light = light * (1 + 0.02 * smooth_noise(rng, blue.shape, 30))
    picture = np.exp(-density) * light[..., None] * np.array(slide.lamp, np.float32)
    picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), float(rng.uniform(0.6, 1.0)))
    # Photons vary by the root of their number; the sensor adds its own.
    noise = rng.standard_normal(picture.shape, np.float32)
    picture = picture + noise * (0.018 * np.sqrt(np.clip(picture, 0, None)) + 0.006)
    return (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> np.ndarray:
    """Gaussian noise that is even over about `sigma` pixels, with mean 0 and deviation 1."""
    # Drawn coarsely where it is smooth anyway: blurring by 30 px at full size is slow.
    step = max(1, int(sigma / 2))
    coarse = rng.standard_normal([-(-side // step) + 2 for side in shape], np.float32)
    coarse = cv2.GaussianBlur(coarse, (0, 0), sigma / step)
    smooth = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return (smooth - smooth.mean()) / max(float(smooth.std()), 1e-6)
