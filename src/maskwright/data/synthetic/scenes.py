"""Scenes of stained cells under a microscope, with exact masks.

Two kinds of cell touch each other on an uneven, noisy background: round ones, smooth, and
spindles, long and granular. Both take the same stains, so that only shape and texture differ.
"""

from dataclasses import dataclass

import numpy as np

from maskwright.data.synthetic.synthetic_cells import (
    Cell,
    CellKind,
    CellPlace,
    Slide,
    draw_cell,
    draw_slide,
    photograph,
    place,
    place_apart,
    tissue,
)
from maskwright.errors import ConfigError
from maskwright.labels import Labels

LABELS = Labels.create(["background", "round", "spindle"])
"""Classes of the masks; a cell has label 1 or 2."""

ROUND, SPINDLE = 1, 2

CELL_KINDS = {
    ROUND: CellKind((9, 14), (1.0, 1.4)),
    SPINDLE: CellKind((6, 8.5), (1.9, 3.3), 0.35, 0.07, (0.8, 1.15), (0.12, 0.36)),
}
"""What cells of each label look like."""

MAX_TRIES = 40
"""CellPlaces tried for a cell before the scene counts as full."""


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


class Canvas:
    """A scene while it is drawn, `size` px square: tissue with the cells so far."""

    def __init__(self, rng: np.random.Generator, size: int) -> None:
        if size < 32:
            raise ConfigError(f"Expected scenes of at least 32 px; received {size}.")
        self.labels = np.zeros((size, size), np.uint8)
        self.instances = np.zeros((size, size), np.uint16)
        self.kinds: list[int] = []
        self.blue, self.pink = tissue(rng, size)

    def add(self, cell: Cell, label: int, where: CellPlace) -> int:
        """Draw a cell where `place` or `place_apart` give room; its visible area, px."""
        self.kinds.append(label)
        window, part = where
        free = cell.inside[part] & (self.instances[window] == 0)
        self.instances[window][free] = len(self.kinds)
        self.labels[window][free] = label
        # It lies under those drawn before, whose outline stays whole.
        visible = cell.cover[part] * (self.instances[window] == len(self.kinds))
        for stain, of_cell in ((self.blue, cell.blue), (self.pink, cell.pink)):
            stain[window] = stain[window] * (1 - visible) + of_cell[part] * visible
        return int(free.sum())

    def photograph(self, rng: np.random.Generator, slide: Slide) -> Scene:
        """The scene in the light of its slide."""
        image = photograph(rng, self.blue, self.pink, slide)
        return Scene(image, self.labels, self.instances, tuple(self.kinds))


def draw_scene(
    rng: np.random.Generator, size: int, slide: Slide | None = None, apart: bool = False
) -> Scene:
    """Draw one scene, `size` px square, that the state of `rng` alone decides.

    `slide` is what it shares with others, `None` draws a new one. With `apart`, at least 2 px lie
    between cells, so that each is a component of its own. `ConfigError` if `size` is below 32 px.
    """
    slide = slide or draw_slide(rng)
    canvas = Canvas(rng, size)
    tries, covered = 0, 0
    while covered < slide.coverage * size * size and tries < MAX_TRIES:
        kind = SPINDLE if rng.random() < slide.spindles else ROUND
        cell = draw_cell(rng, CELL_KINDS[kind])
        find = place_apart if apart else place
        position = find(rng, cell.inside, canvas.instances)
        if position is None:
            tries += 1
        else:
            tries = 0
            covered += canvas.add(cell, kind, position)
    return canvas.photograph(rng, slide)
