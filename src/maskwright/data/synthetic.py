"""The built-in data set: drawn scenes of stained cells under a microscope, with exact masks.

Two kinds of cell touch each other on an uneven, noisy background: round ones, smooth, and
spindles, long and granular. Both take the same stains, so that shape and texture tell them apart.
Slides differ in staining and light, and their images never part between splits.
"""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from maskwright.data.description import write_description
from maskwright.data.manifest import write_manifest
from maskwright.data.samples import Sample
from maskwright.errors import ConfigError
from maskwright.imageio import atomic_write, write_image, write_mask
from maskwright.labels import Labels

LABELS = Labels.create(["background", "round", "spindle"])
"""Classes of the masks; a cell has label 1 or 2."""

ROUND, SPINDLE = 1, 2

# Optical densities of haematoxylin and eosin in red, green and blue: Ruifrok and Johnston, 2001.
_HAEMATOXYLIN = np.array([0.65, 0.70, 0.29], np.float32)
_EOSIN = np.array([0.10, 0.95, 0.28], np.float32)
_IMAGES_PER_SLIDE = 4
_MOST_TRIES = 40  # places tried per cell before the scene counts as full


@dataclass(frozen=True)
class Scene:
    """One drawn image and the truth about it.

    Args:
        image: uint8 `(h, w, 3)`, RGB.
        labels: uint8 `(h, w)`: 0 background, 1 round, 2 spindle.
        instances: uint16 `(h, w)`: 0 background, else the number of the cell, from 1.
        kinds: Label of each cell; the first is that of cell 1.
    """

    image: np.ndarray
    labels: np.ndarray
    instances: np.ndarray
    kinds: tuple[int, ...]


@dataclass(frozen=True)
class Slide:
    """What the images of one slide share.

    Args:
        stain: Strength of haematoxylin and eosin, 1 is usual.
        lamp: Colour of the light, red, green and blue, 0 to 1.
        coverage: Share of the area covered by cells.
        spindles: Share of the cells that are spindles.
    """

    stain: tuple[float, float]
    lamp: tuple[float, float, float]
    coverage: float
    spindles: float


def draw_slide(rng: np.random.Generator) -> Slide:
    """Staining, light and mixture of cells of one slide."""
    haematoxylin, eosin = rng.uniform(0.75, 1.25, 2)
    red, green, blue = np.array([0.965, 0.945, 0.95]) * rng.uniform(0.97, 1.0, 3)
    return Slide(
        (float(haematoxylin), float(eosin)),
        (float(red), float(green), float(blue)),
        float(rng.uniform(0.25, 0.5)),
        float(rng.uniform(0.35, 0.65)),
    )


def draw_scene(rng: np.random.Generator, size: int, slide: Slide | None = None) -> Scene:
    """Draw one scene, `size` pixels square.

    Args:
        rng: Its state alone decides the scene.
        slide: What the scene shares with others; `None` draws a slide of its own.

    Raises:
        ConfigError: If `size` is below 32 px, where no cell fits.
    """
    if size < 32:
        raise ConfigError(f"Expected scenes of at least 32 px; received {size}.")
    slide = slide or draw_slide(rng)
    instances = np.zeros((size, size), np.uint16)
    labels = np.zeros((size, size), np.uint8)
    blue, pink = _tissue(rng, size)
    kinds: list[int] = []
    tries, covered = 0, 0
    while covered < slide.coverage * size * size and tries < _MOST_TRIES:
        kind = SPINDLE if rng.random() < slide.spindles else ROUND
        cell = _cell(rng, kind)
        place = _place(rng, cell.inside, instances)
        if place is None:
            tries += 1
            continue
        tries = 0
        kinds.append(kind)
        window, part = place
        free = cell.inside[part] & (instances[window] == 0)
        instances[window][free] = len(kinds)
        labels[window][free] = kind
        covered += int(free.sum())
        # It lies under those drawn before, whose outline stays whole.
        seen = cell.cover[part] * (instances[window] == len(kinds))
        blue[window] = blue[window] * (1 - seen) + cell.blue[part] * seen
        pink[window] = pink[window] * (1 - seen) + cell.pink[part] * seen
    return Scene(_photograph(rng, blue, pink, slide), labels, instances, tuple(kinds))


def write_dataset(
    folder: str | Path, num_images: int = 120, size: int = 192, seed: int = 0
) -> Path:
    """Write a data set of scenes, divided by slide into train, val and test.

    In `folder` come `images/`, `masks/` (labels with a palette), `instances/` (16-bit numbers of
    cells), `samples.csv` (which file belongs where), `cells.csv` (one row for each cell: `image`,
    `cell`, `label`, `row`, `column`, `area_px`) and `data.yaml`. The same arguments give the same
    files.

    Args:
        folder: Where to; it must be empty or absent.
        num_images: At least 3.
        size: Side of every image, pixels.
        seed: Decides the scenes.

    Returns:
        `folder`.

    Raises:
        ConfigError: If the folder holds something or there are fewer than 3 images.
    """
    folder = Path(folder)
    if num_images < 3:
        raise ConfigError(f"Expected at least 3 images, one for each split; received {num_images}.")
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"Expected an empty folder to write scenes to; {folder} holds files.")
    each = min(_IMAGES_PER_SLIDE, num_images // 3)
    num_slides = -(-num_images // each)
    num_test, num_val = max(1, round(0.2 * num_slides)), max(1, round(0.1 * num_slides))
    samples: list[Sample] = []
    rows: list[tuple[str | int, ...]] = []
    for number in range(num_images):
        number_of_slide, view = divmod(number, each)
        slide = draw_slide(np.random.default_rng([seed, number_of_slide]))
        scene = draw_scene(np.random.default_rng([seed, number_of_slide, view + 1]), size, slide)
        case = f"slide_{number_of_slide + 1:02}"
        name = f"{case}_{view + 1}.png"
        write_image(folder / "images" / name, scene.image)
        write_mask(folder / "masks" / name, scene.labels, LABELS.colours)
        write_image(folder / "instances" / name, scene.instances)
        split = "train"
        if number_of_slide < num_test + num_val:
            split = "test" if number_of_slide < num_test else "val"
        image, mask = folder / "images" / name, folder / "masks" / name
        samples.append(Sample(Path(name).stem, image, (mask,), case, split))
        rows += [(name, *row) for row in _cell_rows(scene)]
    write_manifest(folder / "samples.csv", samples)
    with atomic_write(folder / "cells.csv") as beside, beside.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "cell", "label", "row", "column", "area_px"))
        writer.writerows(rows)
    stated = {
        "manifest": "samples.csv",
        "classes": list(LABELS.names),
        "colours": LABELS.to_dict()["colours"],
        "values": dict(enumerate(LABELS.names)),
    }
    write_description(folder / "data.yaml", stated, ["Scenes drawn by Maskwright."])
    return folder


def _cell_rows(scene: Scene) -> list[tuple[str | int, ...]]:
    """Number, class, centre and area of each cell."""
    numbers = scene.instances.astype(np.int32)
    areas = np.bincount(numbers.ravel(), minlength=len(scene.kinds) + 1)
    y, x = np.indices(numbers.shape)
    sums = [np.bincount(numbers.ravel(), axis.ravel(), len(areas)) for axis in (y, x)]
    rows, columns = (np.round(total / areas, 1).tolist() for total in sums)
    return [
        (cell, LABELS.names[kind], rows[cell], columns[cell], int(areas[cell]))
        for cell, kind in enumerate(scene.kinds, start=1)
    ]


@dataclass(frozen=True)
class _Cell:
    """A cell on a square patch: where it is, how much it covers, and its two stains."""

    inside: np.ndarray
    cover: np.ndarray
    blue: np.ndarray
    pink: np.ndarray


def _cell(rng: np.random.Generator, kind: int) -> _Cell:
    if kind == ROUND:
        width = rng.uniform(9, 14)
        length = width * rng.uniform(1.0, 1.4)
        bend, wobble = 0.0, 0.05
    else:
        width = rng.uniform(6, 8.5)
        length = width * rng.uniform(1.9, 3.3)
        bend, wobble = rng.uniform(-0.35, 0.35), 0.07
    reach = math.ceil(length * 1.25) + 2
    along, across = _rotated_grid(reach, rng.uniform(0, 2 * math.pi))
    across = across - bend * width * ((along / length) ** 2 - 0.5) * 2
    angle = np.arctan2(across / width, along / length)
    outline = np.ones_like(angle)
    for waves in (2, 3, 4, 5):
        outline += rng.normal(0, wobble / waves) * np.cos(waves * angle + rng.uniform(0, 6.3))
    radius = np.hypot(along / length, across / width) / outline  # 1 on the outline
    depth_px = (1 - radius) * width
    cover = np.clip(depth_px / 1.5 + 0.5, 0, 1)

    rim = np.exp(-(((depth_px - 1.5) / 1.3) ** 2))
    shift_along, shift_across = rng.uniform(-0.15, 0.15, 2)
    share = rng.uniform(0.42, 0.56)
    nucleus_radius = np.hypot(
        (along / length - shift_along) / (share * (1 if kind == ROUND else 0.8)),
        (across / width - shift_across) / (share * (1 if kind == ROUND else 1.15)),
    )
    nucleus = np.clip((1 - nucleus_radius) * width * share / 1.5 + 0.5, 0, 1)
    chromatin = _smooth_noise(rng, cover.shape, 1.4)
    blue = nucleus * (rng.uniform(0.55, 0.85) + 0.10 * chromatin) + 0.10 + 0.06 * rim
    pink = rng.uniform(0.30, 0.48) + 0.16 * rim + 0.03 * chromatin
    if kind == SPINDLE:
        grains = np.clip(_smooth_noise(rng, cover.shape, 0.8) - 0.5, 0, 2)
        blue = blue + grains * rng.uniform(0.12, 0.36) * np.clip(depth_px / 2, 0, 1)
    return _Cell(depth_px > 0, cover, blue.astype(np.float32), pink.astype(np.float32))


def _rotated_grid(reach: int, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along and across a cell on a patch of side `2 * reach + 1`, pixels."""
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    cosine, sine = math.cos(angle), math.sin(angle)
    return x * cosine + y * sine, y * cosine - x * sine


def _place(
    rng: np.random.Generator, inside: np.ndarray, instances: np.ndarray
) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """Where a cell goes, in the scene and in its patch; `None` where it would cover others.

    Most cells look for a neighbour to touch.
    """
    size, side = instances.shape[0], inside.shape[0]
    neighbour = bool(instances.any()) and rng.random() < 0.6
    for _ in range(12):
        top, left = (int(value) for value in rng.integers(-side // 3, size - side * 2 // 3, 2))
        window = (slice(max(top, 0), top + side), slice(max(left, 0), left + side))
        taken = instances[window] > 0
        part = (
            slice(max(-top, 0), max(-top, 0) + taken.shape[0]),
            slice(max(-left, 0), max(-left, 0) + taken.shape[1]),
        )
        here = inside[part]
        area = int(here.sum())
        overlap = int((here & taken).sum())
        enough = area >= 0.35 * inside.sum()
        if enough and (overlap > 0 or not neighbour) and overlap <= 0.12 * area:
            return window, part
    return None


def _tissue(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Densities of both stains between the cells: clouds, fibres, and debris out of focus."""
    shape = (size, size)
    clouds = _smooth_noise(rng, shape, 18)
    fibres = cv2.blur(rng.standard_normal(shape, np.float32), (1, 15))
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), float(rng.uniform(0, 180)), 1.5)
    fibres = cv2.warpAffine(fibres, turn, shape, borderMode=cv2.BORDER_REFLECT)
    pink = np.clip(0.09 + 0.045 * clouds + 0.07 * fibres, 0, None)
    blue = np.clip(0.02 + 0.01 * _smooth_noise(rng, shape, 9), 0, None)
    debris = np.zeros(shape, np.float32)
    for _ in range(rng.poisson(size * size / 4000)):
        middle = tuple(int(value) for value in rng.integers(0, size, 2))
        cv2.circle(debris, middle, int(rng.integers(1, 5)), float(rng.uniform(0.1, 0.5)), -1)
    debris = cv2.GaussianBlur(debris, (0, 0), float(rng.uniform(1, 2)))
    return (blue + debris).astype(np.float32), (pink + 0.4 * debris).astype(np.float32)


def _photograph(
    rng: np.random.Generator, blue: np.ndarray, pink: np.ndarray, slide: Slide
) -> np.ndarray:
    """Light through both stains by the law of Beer and Lambert, a lens and a sensor; uint8."""
    size = blue.shape[0]
    density = blue[..., None] * (_HAEMATOXYLIN * slide.stain[0] * 1.25)
    density += pink[..., None] * (_EOSIN * slide.stain[1])
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    tilt = rng.uniform(-0.12, 0.12, 2)
    light = 1 + tilt[0] * x + tilt[1] * y - 0.25 * (x**2 + y**2)
    light = light * (1 + 0.02 * _smooth_noise(rng, blue.shape, 30))
    picture = np.exp(-density) * light[..., None] * np.array(slide.lamp, np.float32)
    picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), float(rng.uniform(0.6, 1.0)))
    # Photons vary by the root of their number; the sensor adds its own.
    noise = rng.standard_normal(picture.shape, np.float32)
    picture = picture + noise * (0.018 * np.sqrt(np.clip(picture, 0, None)) + 0.006)
    return (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> np.ndarray:
    """Gaussian noise that is even over about `sigma` pixels, with mean 0 and deviation 1."""
    # Drawn coarsely where it is smooth anyway: blurring by 30 px at full size is slow.
    step = max(1, int(sigma / 2))
    coarse = rng.standard_normal([-(-side // step) + 2 for side in shape], np.float32)
    coarse = cv2.GaussianBlur(coarse, (0, 0), sigma / step)
    smooth = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return (smooth - smooth.mean()) / max(float(smooth.std()), 1e-6)
