"""Built-in data sets: scenes of round and spindle cells, and cases in which one cell decides."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from maskwright.data.readers.description import described_labels
from maskwright.data.readers.manifest import write_described
from maskwright.data.samples import Sample
from maskwright.data.synthetic.synthetic_cells import (
    CELL_KINDS,
    ROUND,
    SPINDLE,
    Cell,
    CellPlace,
    Scene,
    Slide,
    draw_cell,
    draw_slide,
    photograph,
    place,
    place_apart,
    tissue,
)
from maskwright.errors import ConfigError
from maskwright.imageio import write_image, write_mask, write_table
from maskwright.labels import Labels

LABELS = Labels.create(["background", "round", "spindle"])
"""Classes of the masks; a cell has label 1 or 2."""

_CELL = Labels.create(["background", "cell"])
_MAX_TRIES = 40  # places tried for a cell before the scene counts as full
_IMAGES_PER_SLIDE = 4
_CELLS_PER_IMAGE = (8, 15)
# What cases hold beside plain round cells, each in its own share: parts of what decides.
_COARSE_GRAINS = (1.0, 1.3)  # seen in every stain, in crops of 48 px too
_DECIDING = replace(CELL_KINDS[SPINDLE], ratio=(2.4, 3.3), grains=_COARSE_GRAINS, coarse=True)
_PARTIAL = (
    replace(_DECIDING, grains=None),
    replace(_DECIDING, grains=(0.1, 0.2)),
    replace(CELL_KINDS[ROUND], grains=_COARSE_GRAINS, coarse=True),
    replace(_DECIDING, width_px=(7.5, 10), ratio=(1.3, 1.6)),
)


class _Canvas:
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
    canvas = _Canvas(rng, size)
    find = place_apart if apart else place
    tries, covered = 0, 0
    while covered < slide.coverage * size * size and tries < _MAX_TRIES:
        kind = SPINDLE if rng.random() < slide.spindles else ROUND
        cell = draw_cell(rng, CELL_KINDS[kind])
        position = find(rng, cell.inside, canvas.instances)
        tries += 1
        if position is not None:
            tries = 0
            covered += canvas.add(cell, kind, position)
    return canvas.photograph(rng, slide)


def write_dataset(
    folder: str | Path, num_images: int = 120, size: int = 192, seed: int = 0, apart: bool = False
) -> Path:
    """Write a data set of scenes, divided by slide into train, val and test; gives `folder`.

    In `folder` come `images/`, `masks/` (labels with a palette), `instances/` (16-bit numbers of
    cells), `samples.csv` (which file belongs where), `cells.csv` (one row for each cell: `image`,
    `cell`, `label`, `row`, `column`, `area_px`) and `data.yaml`. The same arguments give the same
    files. Images are `size` px square; `apart` means that no two cells touch. `ConfigError` if the
    folder holds something or there are fewer than 3 images.
    """
    if num_images < 3:
        raise ConfigError(f"Expected at least 3 images, one for each split; received {num_images}.")
    folder = empty_folder(folder)
    each = min(_IMAGES_PER_SLIDE, num_images // 3)
    num_slides = -(-num_images // each)
    num_test, num_val = max(1, round(0.2 * num_slides)), max(1, round(0.1 * num_slides))
    splits = ["test"] * num_test + ["val"] * num_val + ["train"] * num_slides
    samples: list[Sample] = []
    rows: list[tuple[str | float, ...]] = []
    for number in range(num_images):
        number_of_slide, view = divmod(number, each)
        slide = draw_slide(np.random.default_rng([seed, number_of_slide]))
        rng = np.random.default_rng([seed, number_of_slide, view + 1])
        scene = draw_scene(rng, size, slide, apart)
        case = f"slide_{number_of_slide + 1:02}"
        name = f"{case}_{view + 1}.png"
        files = _write_scene(folder, name, scene, LABELS)
        samples.append(Sample(Path(name).stem, *files, case, splits[number_of_slide]))
        rows += [
            (name, cell, LABELS.names[kind], *_center_and_area(scene, cell))
            for cell, kind in enumerate(scene.kinds, start=1)
        ]
    header = ("image", "cell", "label", "row", "column", "area_px")
    write_table(folder / "cells.csv", header, rows)
    remarks = ["Scenes drawn by Maskwright."]
    write_described(folder, samples, described_labels(LABELS), remarks, "samples.csv")
    return folder


def write_cases(
    folder: str | Path,
    num_cases: int = 200,
    images_per_case: tuple[int, int] = (1, 3),
    size: int = 192,
    seed: int = 0,
) -> Path:
    """Write cases of several images, of which every second is positive because of a single cell.

    That cell is long and full of grains. Others are long and smooth, long with a trace of grains,
    granular and round, or granular and hardly longer than that, in shares that vary from case to
    case whatever its label, so that means over the cells of a case tell little. No cells touch each
    other or the border. With fewer than about a hundred cases to learn from, a model tends to
    remember them instead of finding the rule.

    In `folder` come `images/`, `masks/` (1 in every cell), `instances/` (16-bit numbers of cells),
    `samples.csv` (with case, label and split; a fifth of the cases is for validation and a fifth
    for testing), `deciding.csv` (`case`, `image`, `cell`, `row`, `column` of each deciding cell)
    and `data.yaml`. The same arguments give the same files. Images are `size` px square.
    `ConfigError` if the folder holds something, there are fewer than 10 cases, or
    `images_per_case`, fewest and most, does not begin with 1 or more.
    """
    fewest, most = images_per_case
    if num_cases < 10 or not 1 <= fewest <= most:
        raise ConfigError(
            f"Expected at least 10 cases of one image or more; received {num_cases} cases of "
            f"{fewest} to {most}."
        )
    folder = empty_folder(folder)
    samples: list[Sample] = []
    rows: list[tuple[str | float, ...]] = []
    for number in range(num_cases):
        rng = np.random.default_rng([seed, number])
        is_positive = number % 2 == 1
        case, label = f"case_{number + 1:03}", ("negative", "positive")[is_positive]
        # Neighbors go to the same split, so that all hold as many of both.
        split = {0: "test", 1: "val"}.get(number // 2 % 5, "train")
        slide, shares = draw_slide(rng), rng.dirichlet([0.5] * (len(_PARTIAL) + 1))
        num_images = int(rng.integers(fewest, most + 1))
        deciding = int(rng.integers(num_images)) if is_positive else -1
        for view in range(num_images):
            name = f"{case}_{view + 1}.png"
            scene, cell = _draw_view(rng, size, slide, shares, view == deciding)
            files = _write_scene(folder, name, scene, _CELL)
            samples.append(Sample(Path(name).stem, *files, case, split, label))
            if cell:
                rows.append((case, name, cell, *_center_and_area(scene, cell)[:2]))
    write_table(folder / "deciding.csv", ("case", "image", "cell", "row", "column"), rows)
    remarks = ["Cases drawn by Maskwright."]
    write_described(folder, samples, described_labels(_CELL), remarks, "samples.csv")
    return folder


def _draw_view(
    rng: np.random.Generator, size: int, slide: Slide, shares: np.ndarray, decides: bool
) -> tuple[Scene, int]:
    """Scene with kinds of cells by their shares, and its deciding cell; 0 where there is none."""
    canvas = _Canvas(rng, size)
    count = rng.integers(*_CELLS_PER_IMAGE, endpoint=True)
    kinds = rng.choice(np.array([*_PARTIAL, CELL_KINDS[ROUND]]), count, p=shares).tolist()
    if decides:
        kinds[0] = _DECIDING  # the first, for which there is room for certain
    for kind in kinds:
        for _ in range(_MAX_TRIES):
            cell = draw_cell(rng, kind)
            position = place_apart(rng, cell.inside, canvas.instances, min_visible=1.0)
            if position is not None:
                canvas.add(cell, 1, position)
                break
    scene = canvas.photograph(rng, slide)
    # Numbers in the order of drawing would give the deciding cell away.
    new = np.concatenate([[0], 1 + rng.permutation(len(canvas.kinds))]).astype(np.uint16)
    return replace(scene, instances=new[scene.instances]), int(new[1]) if decides else 0


def empty_folder(folder: str | Path) -> Path:
    """The folder, which is empty or not there; `ConfigError` if it holds files."""
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"Expected an empty folder to write scenes to; {folder} holds files.")
    return folder


def _write_scene(folder: Path, name: str, scene: Scene, labels: Labels) -> tuple[Path, tuple[Path]]:
    """Write a scene; its image and its masks."""
    image, mask = folder / "images" / name, folder / "masks" / name
    write_image(image, scene.image)
    write_mask(mask, scene.labels, labels.colors)
    write_image(folder / "instances" / name, scene.instances)
    return image, (mask,)


def _center_and_area(scene: Scene, cell: int) -> tuple[float, float, int]:
    """Row and column of the center of a cell, and its area, pixels."""
    places = np.argwhere(scene.instances == cell)
    row, column = places.mean(axis=0).round(1).tolist()
    return row, column, len(places)
