"""Drawn data to decide on: discs in the images, bright ones in those of the positive label."""

from pathlib import Path

import numpy as np

from maskwright.imageio import write_image


def draw_discs(folder: Path, count: int, side: int = 48, per_image: int = 1) -> Path:
    """Folders dull/ and bright/ of images, with a mask file for each disc."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:side, :side]
    for number in range(count):
        label = ("dull", "bright")[number % 2]
        image = rng.normal(60, 10, (side, side, 3))
        for disc in range(per_image):
            across = side / per_image
            y = rng.uniform(side * 0.35, side * 0.65)
            x = across * (disc + 0.5)
            inside = (rows - y) ** 2 + (columns - x) ** 2 < (across * 0.3) ** 2
            image[inside] += 130 if label == "bright" else 60
            mask = inside[..., None].astype(np.uint8) * 255
            name = f"{number}_mask_{disc}.png" if disc else f"{number}_mask.png"
            write_image(folder / label / "mask" / name, mask)
        pixels = image.clip(0, 255).astype(np.uint8)
        write_image(folder / label / "images" / f"{number}.png", pixels)
    return folder
