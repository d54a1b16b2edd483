"""A short run as a program of its own, to be killed or started as one of several workers.

Usage: short_run.py FOLDER WEIGHTS.npz EPOCHS [--resume] [--synchronised]
"""

import sys
from pathlib import Path

import numpy as np
from scenes import network, recipe, scenes

from maskwright.data.augment import Augmentation
from maskwright.losses import loss
from maskwright.training import Fit, segmentation
from maskwright.training.distribute import find_strategy
from maskwright.training.steps import read


def main(folder: Path, weights: Path, epochs: int, resume: bool, synchronised: bool) -> None:
    strategy = find_strategy()
    with strategy.scope():
        # Workers would draw the gaps of a dropout each for itself.
        model = network(dropout=0.0 if synchronised else 0.2, synchronised=synchronised)
    work = Fit(
        model,
        segmentation(
            loss("ce+dice"),
            scenes(20),
            scenes(6),
            num_classes=2,
            batch_size=8,
            augmentation=Augmentation.named("medium"),
        ),
        # Adam makes whole steps of gradients that are nothing but rounding, which differs between
        # one worker and two; plain steps are as small as their gradients.
        recipe=recipe(optimizer="sgd", learning_rate=0.05) if synchronised else recipe(),
        epochs=epochs,
        strategy=strategy,
        checkpoints=folder,
        checkpoint_seconds=0.0,
    )
    if resume:
        work.resume()
    work.run()
    np.savez(weights, *[read(v) for v in model.variables if "seed" not in v.path])


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        int(sys.argv[3]),
        "--resume" in sys.argv,
        "--synchronised" in sys.argv,
    )
