"""Single objects of any size in photographs: ours, and torchvision's Mask R-CNN, at equal minutes.

    python benchmarks/objects_photos.py DATA --minutes 12 --encoder-weights FILE [--peer]

DATA is `oxford_pets`, the folder of the Oxford-IIIT Pet data set, of which each animal becomes one
object, pet and border joined, in images of at most 320 px; `synthetic.people`, streets that are
drawn; or any data set whose masks tell objects apart. `maskwright train --set objects=auto` is
trained with its defaults, and scored on the test split. One JSON line goes to standard output: AP
as in the Data Science Bowl 2018 at overlaps of 0.5 and 0.75, COCO's average precision of masks, and
duplicates an image. Runs lie in the output folder, with pictures in their reports.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer

from maskwright.data import DataSet, open_dataset
from maskwright.data.geometry import longer_side_size, resize_image, resize_labels
from maskwright.data.readers.description import write_description
from maskwright.data.synthetic.people_dataset import write_people
from maskwright.imageio import read_image, write_image, write_mask
from maskwright.instances import Instances
from maskwright.labels import Labels
from maskwright.metrics.instances import THRESHOLDS, object_scores, tally_objects
from maskwright.model_card import InstanceCard
from maskwright.tasks.provenance import division_of
from race import HERE, smp_python, write_encoder
from runs import call

_LONGER_SIDE_PX = 320
_PEER_SIDE_PX = 512  # where our run keeps the scale of the images
_LEAST_SHARE = 0.005  # of an image, below which a component is no animal
_PETS = Labels.create(["background", "pet"])
SCORES = ("ap50", "ap75", "duplicates_per_image")


def draw_pets(source: Path, folder: Path) -> Path:
    """Pets as objects: images, masks and numbers of animals in folders by split."""
    for split, listed in (("train", "trainval"), ("test", "test")):
        for line in (source / "annotations" / f"{listed}.txt").read_text().splitlines():
            name = line.split()[0]
            image = read_image(source / "images" / f"{name}.jpg")
            image = image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2)
            trimap = read_image(source / "annotations" / "trimaps" / f"{name}.png")[..., 0]
            size = image.shape[:2]
            if max(size) > _LONGER_SIDE_PX:
                size = longer_side_size(size, _LONGER_SIDE_PX)
            inside = resize_labels(np.isin(trimap, (1, 3)).astype(np.uint8), size)
            _, ids, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
            small = stats[:, cv2.CC_STAT_AREA] < _LEAST_SHARE * inside.size
            ids = np.where(small, 0, np.cumsum(~small) - 1).astype(np.uint16)[ids]
            place = folder / split
            write_image(place / "images" / f"{name}.png", resize_image(image, size))
            write_mask(place / "masks" / f"{name}.png", (ids > 0).astype(np.uint8), _PETS.colors)
            write_image(place / "instances" / f"{name}.png", ids)
    described = {"classes": list(_PETS.names), "values": dict(enumerate(_PETS.names))}
    write_description(folder / "data.yaml", described, ["Animals of Oxford-IIIT Pet as objects."])
    return folder


def prepared(data: str, out: Path) -> str:
    """The data set itself, or what is made of it, once."""
    made = out / "data"
    if data == "synthetic.people":
        if not made.exists():
            write_people(made)
    elif (Path(data) / "annotations" / "trimaps").is_dir():
        if not made.exists():
            draw_pets(Path(data), made)
    else:
        return data
    return str(made)


def scored(run: Path, data: str, *options: str) -> dict[str, Any]:
    """Scores of a run on the test split."""
    scores = json.loads(call("evaluate", run, data, "--json", *options))
    result = {name: round(scores[name], 4) for name in SCORES}
    return {**result, "coco_ap": round(scores["coco"]["masks"]["ap"], 4)}


def write_peer_task(dataset: DataSet, folder: Path, seconds: float, side: int) -> None:
    """Images, numbers of objects and settings, where torchvision_worker.py reads them."""
    arrays: dict[str, np.ndarray] = {}
    counts = {}
    for split in ("train", "val", "test"):
        samples = [s for s in dataset.of(split) if s.masks]
        counts[split] = len(samples)
        for index, sample in enumerate(samples):
            image = dataset.read_image(sample)
            arrays[f"{split}_{index}_image"] = image if image.shape[2] == 3 else image[..., [0] * 3]
            if split == "train":
                objects = dataset.read_objects(sample)
                arrays[f"{split}_{index}_ids"] = objects.ids()
                arrays[f"{split}_{index}_labels"] = objects.labels
    np.savez(folder / "images.npz", **arrays)
    settings = {
        "seconds": seconds,
        "side": side,
        "num_classes": dataset.labels.num_classes,
        "counts": counts,
    }
    (folder / "settings.json").write_text(json.dumps(settings))


def peer_scores(dataset: DataSet, folder: Path) -> dict[str, Any]:
    """Scores of the peer on the test split, at the minimum score that is best on validation."""
    with np.load(folder / "predictions.npz") as file:
        arrays = dict(file)

    def objects(name: str, size: tuple[int, int]) -> Instances:
        masks = np.unpackbits(arrays[f"{name}_masks"], axis=1)[:, : size[0] * size[1]]
        found = masks.reshape(-1, *size).astype(bool)
        named = {key: arrays[f"{name}_{key}"] for key in ("labels", "scores")}
        return Instances.from_masks(found, size, **named).at_least()

    def tallies(split: str, score: float) -> list[Any]:
        result = []
        for index, sample in enumerate(s for s in dataset.of(split) if s.masks):
            truth = dataset.read_objects(sample)
            predicted = objects(f"{split}_{index}", truth.size).at_least(score)
            result.append(tally_objects(predicted, truth, dataset.labels.num_classes))
        return result

    steps = np.arange(0.05, 1, 0.05).round(2).tolist()
    score = max(steps, key=lambda s: object_scores(tallies("val", s)).ap.mean())
    counted = tallies("test", score)
    ap = object_scores(counted).ap
    values = {
        "ap50": float(ap[0]),
        "ap75": float(ap[THRESHOLDS.index(0.75)]),
        "duplicates_per_image": sum(t.duplicates for t in counted) / len(counted),
    }
    rounded = {name: round(value, 4) for name, value in values.items()}
    return {**rounded, "score": score, "steps": int(arrays["steps"])}


def peer(run: Path, data: str, folder: Path, seconds: float, weights: str | None) -> dict[str, Any]:
    """Scores of torchvision's Mask R-CNN on the splits of our run, at the scale that it has."""
    dataset = open_dataset(data, **division_of(run))
    if not (folder / "predictions.npz").exists():
        folder.mkdir(parents=True, exist_ok=True)
        side = InstanceCard.read(run / "model_card.json").longer_side or _PEER_SIDE_PX
        write_peer_task(dataset, folder, seconds, side)
        if weights:
            image = dataset.read_image(dataset.of("test")[0])[None, :64, :64]
            write_encoder(weights, image, folder)
        command = [smp_python(), HERE / "torchvision_worker.py", folder]
        subprocess.run(command, check=True, stdout=sys.stderr)
    return peer_scores(dataset, folder)


def main(
    data: Annotated[str, typer.Argument(help="Data set, or synthetic.people.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of data and runs.")] = Path(
        "runs/objects_photos"
    ),
    minutes: Annotated[float, typer.Option(min=0.1, help="Training time of each.")] = 12.0,
    encoder_weights: Annotated[str | None, typer.Option(help="File; none for none.")] = None,
    with_peer: Annotated[bool, typer.Option("--peer", help="Train the peer, too.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Settings beside the defaults.")
    ] = None,
) -> None:
    """Train and score."""
    name = Path(data).name
    out = out / name
    made, run = prepared(data, out), out / "ours"
    given = ["objects=auto", f"encoder_weights={encoder_weights or 'none'}", *(settings or [])]
    if not any(setting.startswith("test_share") for setting in given) and made == data:
        given.append("test_share=0.2")
    if not (run / "model_card.json").exists():
        parts = [part for setting in given for part in ("--set", setting)]
        call("train", made, "-o", run, "--minutes", str(minutes), *parts)
    results = {"data": name, "minutes": minutes, "ours": scored(run, made)}
    if with_peer:
        results["peer"] = peer(run, made, out / "peer", 60 * minutes, encoder_weights)
    print(json.dumps(results))


if __name__ == "__main__":
    typer.run(main)
