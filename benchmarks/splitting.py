"""Time to split touching objects, from what a head says to numbers, and scikit-image's way to it.

    python benchmarks/splitting.py

draws images of 512x512 px with about 200 round cells, many touching, and what a good head would
say of them, with noise. Both ways get the same and work in turns: ours, by centers and depths; and
scikit-image's usual one from the mask alone, by exact distances, their peaks and a watershed. One
JSON line goes to standard output: objects, milliseconds an image, the median, and AP at 0.5 of
each, and how many times as long the other takes.
"""

import json
import time
from collections.abc import Callable
from typing import Annotated

import cv2
import numpy as np
import typer
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import watershed

from maskwright.instances import Instances
from maskwright.metrics.instances import object_scores, tally_objects
from maskwright.tasks.instances import WatershedParams, watershed_instances
from maskwright.tasks.instances.learning.targets import distances

_SIDE_PX = 512
_CELLS = 200
_NOISE = 0.05


def draw(seed: int) -> np.ndarray:
    """Numbers of about 200 ellipses, in clusters, int32 `(512, 512)`."""
    rng = np.random.default_rng(seed)
    numbers = np.zeros((_SIDE_PX, _SIDE_PX), np.int32)
    centers = rng.uniform(0, _SIDE_PX, (40, 2))
    number = 0
    while number < _CELLS:
        middle = centers[rng.integers(len(centers))] + rng.normal(0, 30, 2)
        axes = rng.uniform(9, 17) * np.array([1, rng.uniform(0.7, 1)])
        cell = np.zeros(numbers.shape, np.uint8)
        angle = float(rng.uniform(0, 180))
        cv2.ellipse(
            cell, middle.astype(int).tolist(), axes.astype(int).tolist(), angle, 0, 360, 1, -1
        )
        inside = cell > 0
        # Cells touch, but do not lie on one another.
        if inside.sum() > 50 and (numbers[inside] > 0).mean() < 0.1:
            number += 1
            numbers[inside & (numbers == 0)] = number
    return numbers


def said_of(numbers: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, depth and nearness to a center, with errors."""
    rng = np.random.default_rng(seed)
    noise = [
        cv2.GaussianBlur(rng.normal(0, 1, numbers.shape).astype(np.float32), (0, 0), 2) * 7
        for _ in range(3)
    ]
    depth, center = distances(numbers)
    inside = np.clip(cv2.GaussianBlur((numbers > 0).astype(np.float32), (0, 0), 1), 0, 1)
    inside = np.clip(inside + _NOISE * noise[0], 0, 1)
    return (
        np.dstack([1 - inside, inside]),
        np.clip(depth + _NOISE * noise[1], 0, 1),
        np.clip(center + _NOISE * noise[2], 0, 1),
    )


def usual(probabilities: np.ndarray, depth: np.ndarray, center: np.ndarray) -> Instances:
    """What scikit-image's own example does with a mask of touching objects."""
    mask = probabilities[..., 1] >= 0.5
    distance = ndimage.distance_transform_edt(mask)
    peaks = peak_local_max(distance, min_distance=7, labels=mask.astype(np.int32))
    markers = np.zeros(mask.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return Instances.from_ids(watershed(-distance, markers, mask=mask))


def ours(probabilities: np.ndarray, depth: np.ndarray, center: np.ndarray) -> Instances:
    return watershed_instances(probabilities, depth, center, WatershedParams(0.5, 0.5, 20))


def main(
    images: Annotated[int, typer.Option(min=1, help="Images.")] = 10,
    rounds: Annotated[int, typer.Option(min=1, help="Times that each is split.")] = 3,
) -> None:
    """Draw, split in turns, print."""
    ways: dict[str, Callable[..., Instances]] = {"ours": ours, "skimage": usual}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    tallies: dict[str, list] = {name: [] for name in ways}
    count = 0
    for seed in range(images):
        numbers = draw(seed)
        said, true = said_of(numbers, seed), Instances.from_ids(numbers)
        count += len(true)
        for _ in range(rounds):
            for name, way in ways.items():
                began = time.perf_counter()
                way(*said)
                seconds[name].append(time.perf_counter() - began)
        for name, way in ways.items():
            tallies[name].append(tally_objects(way(*said), true, 2))
    medians = {name: 1000 * float(np.median(values)) for name, values in seconds.items()}
    result: dict[str, object] = {"objects": count / images}
    for name in ways:
        ap = float(object_scores(tallies[name]).ap[0])
        result[name] = {"ms": round(medians[name], 1), "ap50": round(ap, 3)}
    result["ratio"] = round(medians["skimage"] / medians["ours"], 2)
    print(json.dumps(result))


if __name__ == "__main__":
    typer.run(main)
