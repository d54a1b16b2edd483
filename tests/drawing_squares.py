"""Three images of two squares each, for tests of bags and of what they are built from."""

import numpy as np

from maskwright.data import open_dataset
from maskwright.imageio import write_image
from maskwright.tasks.regions.extraction.crops import CropSpec

SIDE = 24
UPPER, LOWER = (2, 2, 10, 10), (12, 13, 20, 21)
SPEC = CropSpec(size=8, context=0.0)


def squares(*boxes):
    mask = np.zeros((SIDE, SIDE, 1), np.uint8)
    for top, left, bottom, right in boxes:
        mask[top:bottom, left:right] = 255
    return mask


def write_squares(folder):
    """Data set of three images of two squares; the first two are one case. All are for training."""
    lines = ["image,mask,case,label,weight,split"]
    for number, rest in enumerate(("a,ill,1", "a,ill,3", "b,well,1")):
        pixels = np.full((SIDE, SIDE, 3), 40 * number, np.uint8)
        write_image(folder / f"i{number}.png", pixels)
        write_image(folder / f"m{number}.png", squares(UPPER, LOWER))
        lines.append(f"i{number}.png,m{number}.png,{rest},train")
    (folder / "manifest.csv").write_text("\n".join(lines))
    return open_dataset(folder)
