"""Where the plan's recipe is put to the test: rare foreground, and masks of which half are empty.

    python benchmarks/recipes.py -o runs/recipes --minutes 3

Draws two data sets: in one, some half per cent of the pixels are foreground; in the other, half of
the images hold none. On each, the plan is trained as it stands, and once more with plain
cross-entropy on crops or images as they come: no weights of classes, nothing favored. Both have
the same minutes, network, size and augmentation. One JSON line goes to standard output: the scores
of both on the same test images, and their paired differences with intervals.
"""

import json
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from maskwright.imageio import write_image
from runs import compare, plan, train

_SIDE_PX = 256
_IMAGES = 150
KINDS = ("rare", "empty")
PLAIN = ("loss=ce", "class_weights=none", "favor_rare=false")
"""Settings of plain cross-entropy."""


def draw(folder: Path, kind: str, count: int = _IMAGES, seed: int = 0) -> Path:
    """Draw a data set of images and masks, in two folders of equal stems.

    Spots to be found are dark in the middle; rings beside them, as large and as bright on the
    whole, are not to be found.

    Args:
        folder: To be filled.
        kind: `"rare"`, some half per cent of foreground, or `"empty"`, none in half of the images.
        count: Of the images.
        seed: Of everything.
    """
    rng = np.random.default_rng([seed, len(kind)])
    for number in range(count):
        if kind == "rare":
            spots, radius = int(rng.integers(2, 5)), (4.0, 8.0)
        else:
            spots, radius = int(rng.integers(1, 3)) * (number % 2), (14.0, 30.0)
        image, mask = _scene(rng, spots, radius)
        for part, pixels in (("images", image), ("masks", mask)):
            (folder / part).mkdir(parents=True, exist_ok=True)
            write_image(folder / part / f"{number:04}.png", pixels)
    return folder


def _scene(
    rng: np.random.Generator, spots: int, radius: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[:_SIDE_PX, :_SIDE_PX].astype(np.float32)
    coarse = rng.normal(0, 1, (8, 8)).astype(np.float32)
    ground = 135 + 12 * cv2.resize(coarse, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_CUBIC)
    ground += cv2.GaussianBlur(rng.normal(0, 30, ground.shape).astype(np.float32), (0, 0), 1.5)
    mask = np.zeros(ground.shape, np.uint8)
    taken: list[tuple[float, float, float]] = []
    for place in range(spots + int(rng.integers(2, 6))):
        size = rng.uniform(*radius)
        y, x = rng.uniform(size + 2, _SIDE_PX - size - 2, 2)
        if any(np.hypot(y - v, x - u) < size + r + 4 for v, u, r in taken):
            continue
        taken.append((y, x, size))
        angle, stretch = rng.uniform(0, np.pi), rng.uniform(0.75, 1.0)
        along = (rows - y) * np.sin(angle) + (columns - x) * np.cos(angle)
        across = (rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)
        distance = np.hypot(along, across / stretch) / size
        inside = 1 / (1 + np.exp((distance - 1) * size))
        if place < spots:
            ground -= 60 * inside * (1 - 0.5 * distance.clip(0, 1))
            mask[distance < 1] = 1
        else:
            ground -= 60 * inside / (1 + np.exp((0.6 - distance) * size))
    noisy = ground + rng.normal(0, 9, ground.shape)
    colors = np.stack([noisy * 1.05, noisy * 0.85, noisy * 0.95], axis=-1)
    return colors.clip(0, 255).astype(np.uint8), mask * 255


def main(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of data and runs.")],
    minutes: Annotated[float, typer.Option(min=0.1, help="Training time of each run.")] = 3.0,
    encoder_weights: Annotated[str | None, typer.Option(help="File; none for none.")] = None,
) -> None:
    """Train the plan and plain cross-entropy on both sets, and compare them."""
    results = {}
    for kind in KINDS:
        data = out / kind / "data"
        if not data.exists():
            draw(data, kind)
        written = plan(data, out / kind / "plan.yaml", minutes, encoder_weights)
        train(data, out / kind / "plan", written, minutes)
        train(data, out / kind / "plain", written, minutes, *PLAIN)
        results[kind] = compare(out / kind / "plan", out / kind / "plain", data)
    print(json.dumps(results))


if __name__ == "__main__":
    typer.run(main)
