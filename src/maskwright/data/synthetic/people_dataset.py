"""A built-in data set of single objects of very different sizes: people in streets."""

from pathlib import Path

import numpy as np

from maskwright.data.readers.description import described_labels
from maskwright.data.readers.manifest import write_described
from maskwright.data.samples import Sample
from maskwright.data.synthetic.datasets import empty_folder
from maskwright.data.synthetic.synthetic_people import draw_street
from maskwright.errors import ConfigError
from maskwright.imageio import write_image, write_mask
from maskwright.labels import Labels

LABELS = Labels.create(["background", "person"])
"""Classes of the masks."""


def write_people(
    folder: str | Path,
    num_images: int = 250,
    size: int = 512,
    seed: int = 0,
    people: tuple[int, int] = (3, 8),
) -> Path:
    """Write a data set of streets with people, in train, val and test; gives `folder`.

    In `folder` come `images/`, `masks/` (1 where a person is), `instances/` (16-bit numbers of the
    people, of each the visible part), `samples.csv` and `data.yaml`. A fifth of the images is for
    testing and a tenth for validation. The same arguments give the same files. Images are `size` px
    square with `people`, fewest and most; see `draw_street`. `ConfigError` if the folder holds
    something or there are fewer than 5 images.
    """
    if num_images < 5:
        raise ConfigError(f"Expected at least 5 images, for three splits; received {num_images}.")
    folder = empty_folder(folder)
    num_test, num_val = max(1, round(0.2 * num_images)), max(1, round(0.1 * num_images))
    splits = ["test"] * num_test + ["val"] * num_val + ["train"] * num_images
    samples = []
    for number in range(num_images):
        street = draw_street(np.random.default_rng([seed, number]), size, people)
        name = f"street_{number + 1:04}.png"
        image, mask = folder / "images" / name, folder / "masks" / name
        write_image(image, street.image)
        write_mask(mask, (street.instances > 0).astype(np.uint8), LABELS.colors)
        write_image(folder / "instances" / name, street.instances)
        samples.append(Sample(image.stem, image, (mask,), image.stem, splits[number]))
    remarks = ["Streets drawn by Maskwright."]
    write_described(folder, samples, described_labels(LABELS), remarks, "samples.csv")
    return folder
