"""Built-in data sets, written to folders: scenes of cells, and cases in which one cell decides."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from maskwright.data.readers.description import described_labels
from maskwright.data.readers.manifest import write_described
from maskwright.data.samples import Sample
from maskwright.data.synthetic.scenes import (
    CELL_KINDS,
    LABELS,
    MAX_TRIES,
    ROUND,
    SPINDLE,
    Canvas,
    Scene,
    draw_scene,
)
from maskwright.data.synthetic.synthetic_cells import Slide, draw_cell, draw_slide, place_apart
from maskwright.errors import ConfigError
from maskwright.imageio import write_image, write_mask, write_table
from maskwright.labels import Labels

_CELL = Labels.create(["background", "cell"])

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
    folder = _empty(folder)
    each = min(_IMAGES_PER_SLIDE, num_images // 3)
    num_slides = -(-num_images // each)
    num_test, num_val = max(1, round(0.2 * num_slides)), max(1, round(0.1 * num_slides))
    samples: list[Sample] = []
    rows: list[tuple[str | int, ...]] = []
    for number in range(num_images):
        number_of_slide, view = divmod(number, each)
        slide = draw_slide(np.random.default_rng([seed, number_of_slide]))
        rng = np.random.default_rng([seed, number_of_slide, view + 1])
        scene = draw_scene(rng, size, slide, apart)
        case = f"slide_{number_of_slide + 1:02}"
        name = f"{case}_{view + 1}.png"
        split = "train"
        if number_of_slide < num_test + num_val:
            split = "test" if number_of_slide < num_test else "val"
        image, mask = _write_scene(folder, name, scene, LABELS)
        samples.append(Sample(Path(name).stem, image, (mask,), case, split))
        rows += [(name, *row) for row in _cell_rows(scene)]
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
    folder = _empty(folder)
    samples: list[Sample] = []
    rows: list[tuple[str | int | float, ...]] = []
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
            image, mask = _write_scene(folder, name, scene, _CELL)
            samples.append(Sample(Path(name).stem, image, (mask,), case, split, label))
            if cell:
                row, column = np.argwhere(scene.instances == cell).mean(axis=0).round(1).tolist()
                rows.append((case, name, cell, row, column))
    write_table(folder / "deciding.csv", ("case", "image", "cell", "row", "column"), rows)
    remarks = ["Cases drawn by Maskwright."]
    write_described(folder, samples, described_labels(_CELL), remarks, "samples.csv")
    return folder


def _draw_view(
    rng: np.random.Generator, size: int, slide: Slide, shares: np.ndarray, decides: bool
) -> tuple[Scene, int]:
    """Scene of a case, and the number of its deciding cell; 0 where there is none.

    `shares` are those of the kinds in `_PARTIAL`, and of plain cells.
    """
    canvas = Canvas(rng, size)
    count = rng.integers(*_CELLS_PER_IMAGE, endpoint=True)
    kinds = rng.choice(np.array([*_PARTIAL, CELL_KINDS[ROUND]]), count, p=shares).tolist()
    if decides:
        kinds[0] = _DECIDING  # the first, for which there is room for certain
    for kind in kinds:
        for _ in range(MAX_TRIES):
            cell = draw_cell(rng, kind)
            position = place_apart(rng, cell.inside, canvas.instances, min_visible=1.0)
            if position is not None:
                canvas.add(cell, 1, position)
                break
    scene = canvas.photograph(rng, slide)
    # Numbers in the order of drawing would give the deciding cell away.
    new = np.concatenate([[0], 1 + rng.permutation(len(canvas.kinds))]).astype(np.uint16)
    return replace(scene, instances=new[scene.instances]), int(new[1]) if decides else 0


def _empty(folder: str | Path) -> Path:
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"Expected an empty folder to write scenes to; {folder} holds files.")
    return folder


def _write_scene(folder: Path, name: str, scene: Scene, labels: Labels) -> tuple[Path, Path]:
    """Write a scene; the files of its image and its mask."""
    image, mask = folder / "images" / name, folder / "masks" / name
    write_image(image, scene.image)
    write_mask(mask, scene.labels, labels.colors)
    write_image(folder / "instances" / name, scene.instances)
    return image, mask


def _cell_rows(scene: Scene) -> list[tuple[str | int, ...]]:
    """Number, class, center and area of each cell."""
    numbers = scene.instances.astype(np.int32)
    areas = np.bincount(numbers.ravel(), minlength=len(scene.kinds) + 1)
    y, x = np.indices(numbers.shape)
    sums = [np.bincount(numbers.ravel(), axis.ravel(), len(areas)) for axis in (y, x)]
    rows, columns = (np.round(total / areas, 1).tolist() for total in sums)
    return [
        (cell, LABELS.names[kind], rows[cell], columns[cell], int(areas[cell]))
        for cell, kind in enumerate(scene.kinds, start=1)
    ]
