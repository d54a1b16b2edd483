"""Single objects by both methods: equal minutes, the same test images.

    python benchmarks/instances.py DATA --minutes 15 --encoder-weights FILE

trains a head of centers and distances and a Mask R-CNN with the defaults of `maskwright train`, one
after the other, and scores both on the test split, a fifth of the cases where none is given. One
JSON line goes to standard output: AP as in the Data Science Bowl 2018 at overlaps of 0.5 and 0.75,
and panoptic quality, of each. Runs lie in the output folder, with pictures in their reports.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from runs import train

SETTINGS = {
    "centers": ("objects=centers", "batch_size=8", "learning_rate=3e-3"),
    "mask_rcnn": ("objects=mask_rcnn", "batch_size=4", "learning_rate=1e-3"),
}
"""Of each method; small things under a microscope have no upright, so that any turn will do."""
COMMON = (
    *("test_share=0.2", "augmentation.flip_vertical=0.5", "augmentation.rotate_degrees=180"),
    "patience=none",
)


def main(
    data: Annotated[str, typer.Argument(help="Data set with masks that tell objects apart.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the runs.")] = Path(
        "runs/instances"
    ),
    minutes: Annotated[float, typer.Option(min=0.1, help="Training time of each.")] = 15.0,
    encoder_weights: Annotated[str | None, typer.Option(help="File; none for none.")] = None,
    only: Annotated[str, typer.Option(help="Methods, with commas.")] = "centers,mask_rcnn",
) -> None:
    """Train and score."""
    weights = f"encoder_weights={encoder_weights or 'none'}"
    results = {}
    for method in only.split(","):
        scores = train(data, out / method, None, minutes, *COMMON, weights, *SETTINGS[method])
        results[method] = {name: round(scores[name], 4) for name in ("ap50", "ap75", "pq")}
    print(json.dumps(results))


if __name__ == "__main__":
    typer.run(main)
