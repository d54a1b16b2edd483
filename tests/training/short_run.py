"""A short run as a program of its own, to be killed or started as one of several workers.

Usage: short_run.py FOLDER WEIGHTS.npz [--resume]
"""

import sys
from pathlib import Path

import keras
import numpy as np

from maskwright.data.arrays import Arrays
from maskwright.data.augment import Augmentation
from maskwright.losses import loss
from maskwright.models import build
from maskwright.training import Recipe, fit
from maskwright.training.distribute import find_strategy
from maskwright.training.steps import read


def scenes(count: int, side: int = 32) -> Arrays:
    """Bright discs on noise."""
    rng = np.random.default_rng(7)
    rows, columns = np.mgrid[:side, :side]
    images, masks = [], []
    for _ in range(count):
        y, x, radius = rng.uniform(8, side - 8, 2).tolist() + [rng.uniform(4, 8)]
        mask = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
        noise = rng.normal(90, 25, (side, side, 3)) + 60 * mask[..., None]
        images.append(noise.clip(0, 255).astype(np.uint8))
        masks.append(mask.astype(np.uint8))
    return Arrays.from_numpy(np.stack(images), np.stack(masks))


def main(folder: Path, weights: Path, resume: bool, epochs: int = 6) -> None:
    strategy = find_strategy()
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = build(
            2,
            encoder_name="plain",
            encoder_widths=(8, 16),
            decoder_name="unet",
            widths=(8,),
            # Workers draw the masks of a dropout for themselves, so it has none with several.
            dropout=0.2 if strategy.num_replicas_in_sync == 1 else 0.0,
            seed=0,
            synchronised="--synchronised" in sys.argv,
        )
    fit(
        model,
        loss("ce+dice"),
        scenes(20),
        scenes(6),
        num_classes=2,
        recipe=Recipe(batch_size=8, freeze=0.3, learning_rate=1e-2),
        augmentation=Augmentation.named("medium"),
        epochs=epochs,
        strategy=strategy,
        checkpoints=folder,
        checkpoint_seconds=0.0,
        resume=resume,
    )
    np.savez(weights, *[read(v) for v in model.variables if "seed" not in v.path])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), "--resume" in sys.argv)
