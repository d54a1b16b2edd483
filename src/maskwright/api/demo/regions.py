"""The demonstration of regions: draw cells, find them, decide of which kind each one is."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maskwright.api.demo.masks import DEMO_SETTINGS, copy_images
from maskwright.api.evaluate import evaluate
from maskwright.api.predict import load, predict
from maskwright.api.train import train, train_regions
from maskwright.data import DataSet, open_dataset
from maskwright.errors import TrainingError
from maskwright.imageio import write_image
from maskwright.types import OnMessage, ignore_message

if TYPE_CHECKING:
    from maskwright.tasks.regions.evaluation.scores import RegionEvaluation
    from maskwright.tasks.regions.pipeline import Pipeline

_SHOWN = 4
_ENLARGED = 2
_SEGMENTING = 0.5  # of the time
_CELLS = {
    "images": "images",
    "masks": "instances",
    "encoding": "objects",
    "objects": "instances",
    "classes": ["background", "cell"],
    "group_by": "(slide_[0-9]+)",
}
_SETTINGS: dict[str, Any] = {
    "encoder": "plain",
    "encoder_widths": (16, 32, 64),
    "size": 48,
    "batch_size": 32,
    "positive": "spindle",
    "augmentation": {"flip_vertical": 0.5, "rotate_degrees": 180},
}


@dataclass(frozen=True)
class RegionDemo:
    """Where the demonstration of regions left what it made.

    Args:
        data: Folder of the drawn images, of the numbers of their cells, and of their labels.
        segmenter: Folder of the run that finds cells.
        run: Folder of the run that decides on them, with the segmenter in it.
        answers: Folder of `cases.csv`, masks and overlays of the test images.
        picture: Test images: cells as they are, and as they are found and decided on.
    """

    data: Path
    segmenter: Path
    run: Path
    answers: Path
    picture: Path
    evaluation: "RegionEvaluation"


def demo_regions(
    out: str | Path, *, minutes: float = 3.0, on_message: OnMessage = ignore_message
) -> RegionDemo:
    """Draw cells, train a segmenter and a classifier, evaluate both as one, predict.

    Args:
        out: Folder for everything; data that is there already is used again.
        minutes: Time to train for, both together.
    """
    from maskwright.data.readers.description import write_description
    from maskwright.data.synthetic.datasets import write_dataset

    folder = Path(out)
    data, segmenter, run = folder / "cells", folder / "segmenter", folder / "run"
    for made in (segmenter, run):
        if (made / "plan.yaml").exists():
            raise TrainingError(f"{made} holds a run already; name another folder with -o.")
    described = data / "cells.yaml"
    if not described.exists():
        on_message("Drawing microscope-like scenes of round and spindle-shaped cells …")
        write_dataset(data, apart=True)
        write_description(described, _CELLS, ["Every cell by itself; what it is says cells.csv."])
    on_message(f"Training a segmenter that finds cells for {minutes * _SEGMENTING:g} minutes …")
    train(described, segmenter, minutes=minutes * _SEGMENTING, **DEMO_SETTINGS)
    on_message(
        f"Training a classifier of what it finds for {minutes * (1 - _SEGMENTING):g} minutes …"
    )
    train_regions(
        described,
        run,
        minutes=minutes * (1 - _SEGMENTING),
        segmenter=str(segmenter),
        **_SETTINGS,
    )
    on_message("Scoring images that neither was trained on …")
    found = evaluate(run, described)
    on_message("Deciding on the cells of the test images …")
    dataset = open_dataset(described)
    answers = folder / "answers"
    predict(run, copy_images(dataset, folder / "test_images"), answers, masks=False)
    picture = folder / "demo.png"
    _draw(dataset, load(run), picture)
    return RegionDemo(data, segmenter, run, answers, picture, found)


def _draw(dataset: DataSet, pipeline: "Pipeline", path: Path) -> None:
    """Test images above; below, their cells as found, with the probability beside each."""
    from maskwright.tasks.regions.drawing import draw_decisions

    columns = []
    for sample in dataset.of("test")[:_SHOWN]:
        image = dataset.read_image(sample)
        results = pipeline({sample.id: image})
        regions = [region for result in results for region in result.regions]
        found = [float(result.probability or 0) for result in results]
        rows = [
            draw_decisions(image, own, found[: len(own)], scale=_ENLARGED) for own in ([], regions)
        ]
        columns.append(np.vstack([np.pad(row, ((2, 2), (2, 2), (0, 0))) for row in rows]))
    write_image(path, np.hstack(columns))
