"""Whether the way from targets to masks is right: a Mask R-CNN learns eight images by heart.

    python benchmarks/overfit.py -o runs/overfit --minutes 10

draws eight scenes of touching cells of several classes, trains on them without augmentation and
without holding anything back, and scores the same eight. One JSON line goes to standard output:
COCO's average precision of masks and boxes, and AP as in the Data Science Bowl 2018, at an overlap
of 0.5. What lies below 0.95 there has an error on the way.
"""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from maskwright.data.readers.description import write_description
from maskwright.data.synthetic.datasets import LABELS, draw_scene
from maskwright.data.synthetic.synthetic_cells import draw_slide
from maskwright.imageio import write_image, write_mask
from runs import call

_IMAGES, _SIDE_PX = 8, 192
SETTINGS = (
    *("objects=mask_rcnn", "augmentation=none", "augmentation.flip_horizontal=0", "crop=192"),
    *("val_share=0", "test_share=0", "batch_size=4", "learning_rate=1e-3", "average=0.05"),
    *("encoder=resnet18", "encoder_weights=none", "norm=group"),
)


def draw(folder: Path) -> Path:
    """Images, masks of classes and numbers of cells, in three folders of equal names."""
    for number in range(_IMAGES):
        rng = np.random.default_rng([7, number])
        scene = draw_scene(rng, _SIDE_PX, draw_slide(rng))
        name = f"{number}.png"
        write_image(folder / "images" / name, scene.image)
        write_mask(folder / "masks" / name, scene.labels, LABELS.colors)
        write_image(folder / "instances" / name, scene.instances)
    described = {"classes": list(LABELS.names), "values": dict(enumerate(LABELS.names))}
    write_description(folder / "data.yaml", described, ["Scenes drawn by Maskwright."])
    return folder


def main(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of data and run.")],
    minutes: Annotated[float, typer.Option(min=0.1, help="Training time.")] = 10.0,
    encoder_weights: Annotated[
        str | None, typer.Option(help="Of MobileNetV2; without, a ResNet-18 learns from nothing.")
    ] = None,
) -> None:
    """Draw, train, score the same images."""
    data, run = out / "data", out / "run"
    if not data.exists():
        draw(data)
    given = list(SETTINGS)
    if encoder_weights:
        given = [s for s in given if not s.startswith(("encoder", "norm"))]
        given.append(f"encoder_weights={encoder_weights}")
    if not (run / "model_card.json").exists():
        parts = [part for setting in given for part in ("--set", setting)]
        call("train", data, "-o", run, "--minutes", str(minutes), *parts)
    scores = json.loads(call("evaluate", run, data, "--split", "train", "--json"))
    found = {kind: round(scores["coco"][kind]["ap50"], 4) for kind in ("masks", "boxes")}
    print(json.dumps({**found, "ap50": round(scores["ap50"], 4)}))


if __name__ == "__main__":
    typer.run(main)
