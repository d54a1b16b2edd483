"""Discs of several grays on a gray ground, whose faint ones a small network finds hard."""

import numpy as np

from maskwright.imageio import write_image

SIDE = 32


def doubtful(seed):
    """Image uint8 `(32, 32, 3)` of a disc, more or less faint, and its mask of 0 and 255."""
    rng = np.random.default_rng(seed)
    row, column, radius = *rng.uniform(10, 22, 2), rng.uniform(5, 9)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    inside = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
    gray = 100 + rng.normal(0, 12, (SIDE, SIDE)) + rng.uniform(15, 90) * inside
    image = np.repeat(np.clip(gray, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    return image, np.where(inside, 255, 0).astype(np.uint8)[..., None]


def draw_doubts(folder, start=0, **splits):
    """Data set with so many images in each split, numbered from `start`."""
    lines, number = ["image,mask,split"], start
    for split, count in splits.items():
        for _ in range(count):
            image, mask = doubtful(number)
            write_image(folder / f"i{number}.png", image)
            write_image(folder / f"m{number}.png", mask)
            lines.append(f"i{number}.png,m{number}.png,{split}")
            number += 1
    (folder / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder
