"""Short runs as a program of its own, to be killed or started as one of several workers.

Usage: short_run.py EPOCHS FOLDER[:resume|:synchronized]...

Runs one after the other; each leaves its checkpoints and `weights.npz` in its folder.
"""

import sys
from pathlib import Path

import numpy as np
from scenes import network, recipe, scenes

from maskwright.data.pipeline.augmentation import Augmentation
from maskwright.losses import loss
from maskwright.tasks.semantic.training import mask_scoring, segmentation
from maskwright.training import Batching, TrainingLoop
from maskwright.training.distribute import find_strategy
from maskwright.training.steps import read


def main(folder: Path, epochs: int, resume: bool, synchronized: bool) -> None:
    strategy = find_strategy()
    with strategy.scope():
        # Workers would draw the gaps of a dropout each for itself.
        model = network(dropout=0.0 if synchronized else 0.2, synchronized=synchronized)
    work = TrainingLoop(
        model,
        segmentation(
            loss("ce+dice"),
            scenes(20),
            scenes(6),
            scoring=mask_scoring(2, background=0),
            batching=Batching(batch_size=8, augmentation=Augmentation.named("medium")),
        ),
        # Adam makes whole steps of gradients that are nothing but rounding, which differs between
        # one worker and two; plain steps are as small as their gradients. At higher rates such
        # rounding grows: by a factor of 100 in six epochs at 0.05.
        recipe=recipe(optimizer="sgd", learning_rate=0.02) if synchronized else recipe(),
        epochs=epochs,
        strategy=strategy,
        checkpoints=folder,
        checkpoint_seconds=0.0,
    )
    if resume:
        work.resume()
    work.run()
    np.savez(folder / "weights.npz", *[read(v) for v in model.variables if "seed" not in v.path])


if __name__ == "__main__":
    for run in sys.argv[2:]:
        place, _, how = run.partition(":")
        main(Path(place), int(sys.argv[1]), how == "resume", how == "synchronized")
