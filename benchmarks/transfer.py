"""What `--from` gives to few images: nuclei learned from ten, with and without another run.

Run: python benchmarks/transfer.py ../shared/data/dsb2018 --encoder-weights FILE

A run learns from 70 images. Ten others are learned from ImageNet weights alone, and from that run,
with equal epochs; the rest is the test split of both.
"""

import random
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

import maskwright
from maskwright.types import InstanceMethod

_PARTS = {"many/train": 70, "many/val": 10, "few/train": 10, "few/val": 3, "few/test": 27}
_EPOCHS = (10, 40)


def divide(data: Path, folder: Path) -> None:
    """Copy the images of the Data Science Bowl 2018 into splits of two data sets."""
    images = sorted(path for path in (data / "stage1_train").iterdir() if path.is_dir())
    random.Random(0).shuffle(images)
    for part, number in _PARTS.items():
        chosen, images = images[:number], images[number:]
        for image in chosen:
            shutil.copytree(image, folder / part / image.name, copy_function=shutil.copyfile)


def main(
    data: Annotated[Path, typer.Argument(help="Folder of the Data Science Bowl 2018.")],
    encoder_weights: Annotated[str, typer.Option(help="Of the encoder.")] = "imagenet",
    method: Annotated[str, typer.Option(help="Setting `objects`.")] = "centers",
) -> None:
    """Print AP at 0.5 and the mean AP of the four models of few images."""
    objects: InstanceMethod = "condinst" if method == "condinst" else "centers"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        divide(data, folder)
        start = {"encoder_weights": encoder_weights}
        many = folder / "run"
        maskwright.train(folder / "many", many, objects=objects, epochs=max(_EPOCHS), **start)
        for epochs in _EPOCHS:
            for title, weights in (("ImageNet", start), ("run", {"weights": many})):
                run = folder / f"{title}{epochs}"
                maskwright.train(folder / "few", run, objects=objects, epochs=epochs, **weights)
                ap = maskwright.evaluate(run, folder / "few", split="test").total.ap
                print(f"{method} from {title}, {epochs} epochs: {ap[0]:.3f} {ap.mean():.3f}")


if __name__ == "__main__":
    typer.run(main)
