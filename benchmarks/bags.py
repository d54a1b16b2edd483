"""Cases in which a single region of many decides: attention against mean and max.

    python benchmarks/bags.py --picture cases.png

Draws cases of several images, of which every second is positive because of one cell, and trains
the same classifier on them three times for the same number of epochs; only how regions are joined
differs. It sees measures of the cells alone, or with `--pixels` their pixels too, and learns from
answers on whole cases: nothing tells it which cell decides. One JSON line goes to standard output:
for each pooling the score on the test cases, and in `found` the share of positive ones in which
the deciding cell has a higher weight than any other.
"""

import csv
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from PIL import Image, ImageDraw, ImageFont

from maskwright import load, open_dataset, train_regions
from maskwright.config import parse_settings
from maskwright.data import DataSet
from maskwright.data.synthetic.datasets import write_cases
from maskwright.imageio import write_image
from maskwright.labels import Color
from maskwright.metrics import decision_intervals, decision_scores
from maskwright.tasks.regions import Region
from maskwright.tasks.regions.pipeline import CaseResult, Pipeline

POOLINGS = ("attention", "mean", "max")
# Masks are exact here: there are no errors in them to learn from. The best of all validations
# counts, however many did not become better.
_BOTH: Mapping[str, Any] = {
    "learning_rate": 3e-2,
    "variants": 0,
    "patience": None,
    "previews": 0,
}
_MEASURES: Mapping[str, Any] = {"pixels": False, "epochs": 40}
# A small encoder: every step looks at some 180 crops.
_PIXELS: Mapping[str, Any] = {
    "augmentation": "none",
    "size": 32,
    "encoder": "plain",
    "encoder_widths": (8, 16, 32),
    "batch_size": 8,
    "epochs": 8,
}

_SCALE = 2  # of the picture
_GAP_PX, _REACH_PX = 6, 12
_TOLD = 0.1  # weight from which on it is written beside its region
_LIGHT: Color = (255, 255, 255)
_HEAVY: Color = (0, 120, 40)
_PAPER, _INK = (255, 255, 255), (20, 20, 30)

Cell = tuple[str, int]
"""Name of the image without its ending, and number in the mask."""


def main(
    cases: Annotated[int, typer.Option(help="Drawn; a fifth of them tests.")] = 400,
    epochs: Annotated[int | None, typer.Option(help="Of each pooling.")] = None,
    seed: Annotated[int, typer.Option(help="Of cases and training.")] = 0,
    pixels: Annotated[bool, typer.Option("--pixels", help="Look at the pixels too.")] = False,
    only: Annotated[str, typer.Option(help="Some of the three.")] = ",".join(POOLINGS),
    picture: Annotated[Path | None, typer.Option(help="PNG of test cases and weights.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Of all three.")] = None,
) -> None:
    """Race on drawn cases."""
    poolings = only.split(",")
    if unknown := set(poolings) - set(POOLINGS):
        raise typer.BadParameter(f"Expected some of {', '.join(POOLINGS)}; received {unknown}.")
    chosen = {**_BOTH, **(_PIXELS if pixels else _MEASURES), "seed": seed}
    chosen |= {} if epochs is None else {"epochs": epochs}
    chosen |= parse_settings(settings or [])
    with tempfile.TemporaryDirectory() as folder:
        data = write_cases(Path(folder) / "cases", cases, seed=seed)
        dataset, deciding = open_dataset(data), read_deciding(data)
        answers, scores = {}, {}
        for pooling in poolings:
            began = time.monotonic()
            train_regions(data, Path(folder) / pooling, pooling=pooling, **chosen)
            seconds = time.monotonic() - began
            answers[pooling] = answer(load(Path(folder) / pooling), dataset)
            scores[pooling] = {**score(answers[pooling], deciding), "seconds": round(seconds, 1)}
            print(f"{pooling}: {scores[pooling]}", file=sys.stderr)
        if picture is not None:
            write_image(picture, draw(answers, deciding, dataset))
    print(json.dumps(scores))


def read_deciding(data: Path) -> dict[str, Cell]:
    """The deciding cell of each positive case."""
    with (data / "deciding.csv").open(newline="") as file:
        return {
            row["case"]: (Path(row["image"]).stem, int(row["cell"])) for row in csv.DictReader(file)
        }


def answer(pipeline: Pipeline, dataset: DataSet) -> list[CaseResult]:
    """What a classifier makes of each test case."""
    by_case: dict[str, list[tuple[str, str, Sequence[Region]]]] = {}
    for sample in dataset.samples:
        if sample.split == "test":
            image, mask = dataset.read_image(sample), dataset.read_instances(sample)
            found = (sample.id, sample.case, pipeline.regions(image, mask, sample.id))
            by_case.setdefault(sample.case, []).append(found)
    return pipeline.decide([found for images in by_case.values() for found in images])


def weight_of(result: CaseResult, cell: Cell) -> tuple[float, float]:
    """Weight of a cell, and the highest of all others."""
    assert result.weights is not None
    is_it = np.array([(region.image_id, region.value) == cell for region in result.regions])
    return float(result.weights[is_it].max()), float(result.weights[~is_it].max(initial=0))


def score(answers: Sequence[CaseResult], deciding: Mapping[str, Cell]) -> dict[str, Any]:
    """How well cases are told apart, and how often the deciding cell is found."""
    labels = np.array([result.id in deciding for result in answers], int)
    probabilities = np.array([result.probability for result in answers], float)
    cases = [result.id for result in answers]
    ends = decision_intervals(labels, probabilities, cases)
    weights = [
        weight_of(result, deciding[result.id]) for result in answers if result.id in deciding
    ]
    return {
        "roc_auc": round(decision_scores(labels, probabilities).roc_auc, 4),
        "interval": [round(float(end), 4) for end in ends["roc_auc"]],
        "found": round(float(np.mean([own > others for own, others in weights])), 4),
        "cases": len(answers),
    }


def draw(
    answers: Mapping[str, Sequence[CaseResult]],
    deciding: Mapping[str, Cell],
    dataset: DataSet,
    rows: int = 3,
    columns: int = 3,
) -> np.ndarray:
    """The first positive test cases of several images, a row each, with the first answers' weights.

    Regions are outlined the thicker and greener, the higher their weight; corners mark the cell
    that decides.

    Returns:
        uint8 RGB.
    """
    samples = {sample.id: sample for sample in dataset.samples}
    first = next(iter(answers.values()))
    shown = [
        place
        for place, result in enumerate(first)
        if result.id in deciding and 1 < len(result.images) <= columns
    ]
    sheet = []
    for place in shown[:rows]:
        result = first[place]
        pictures = [
            _outlined(dataset.read_image(samples[name]), name, result, deciding[result.id])
            for name in result.images
        ]
        pictures += [np.full_like(pictures[0], _PAPER)] * (columns - len(pictures))
        told = ", ".join(
            f"{name} {found[place].probability:.2f}" for name, found in answers.items()
        )
        sheet.append(np.hstack(pictures))
        text = f"{result.id}, positive by one of {len(result.regions)} cells. Probability: {told}"
        sheet.append(_line(text, sheet[-1].shape[1]))
    return np.vstack(sheet)


def _outlined(image: np.ndarray, name: str, result: CaseResult, cell: Cell) -> np.ndarray:
    """Image, enlarged, with its regions by weight and white on two sides."""
    assert result.weights is not None
    drawn = image.repeat(_SCALE, 0).repeat(_SCALE, 1)
    for weight, region in zip(result.weights, result.regions, strict=True):
        if region.image_id != name:
            continue
        top, left, bottom, right = (_SCALE * side for side in region.box)
        thick = 1 + round(3 * float(weight))
        # Around the region, so that the line hides nothing of it.
        mask = np.pad(region.mask.astype(np.uint8).repeat(_SCALE, 0).repeat(_SCALE, 1), thick)
        mask = cv2.dilate(mask, np.ones((thick, thick), np.uint8))
        corner = (left - thick, top - thick)
        outlines, _ = cv2.findContours(
            mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=corner
        )
        shades = zip(_LIGHT, _HEAVY, strict=True)
        color = [round(light + float(weight) * (heavy - light)) for light, heavy in shades]
        cv2.polylines(drawn, outlines, True, color, thick, cv2.LINE_AA)
        if (name, region.value) == cell:
            _corners(drawn, (top, left, bottom, right))
        if weight >= _TOLD:
            at = (max(0, left - _REACH_PX), max(12, top - _REACH_PX - 5))
            cv2.putText(drawn, f"{weight:.2f}", at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, 16)
    return np.pad(drawn, ((_GAP_PX, 0), (_GAP_PX, 0), (0, 0)), constant_values=_PAPER[0])


def _corners(picture: np.ndarray, box: tuple[int, int, int, int]) -> None:
    """Mark the corners around a box."""
    top, left, bottom, right = box
    for y, down in ((top - _REACH_PX, 1), (bottom + _REACH_PX, -1)):
        for x, across in ((left - _REACH_PX, 1), (right + _REACH_PX, -1)):
            cv2.line(picture, (x, y), (x + across * _REACH_PX, y), _INK, 2)
            cv2.line(picture, (x, y), (x, y + down * _REACH_PX), _INK, 2)


def _line(text: str, width: int) -> np.ndarray:
    """A line of text, uint8 RGB."""
    sheet = Image.new("RGB", (width, 28), _PAPER)
    font = ImageFont.load_default(17)
    ImageDraw.Draw(sheet).text((_GAP_PX, 3), text, fill=_INK, font=font)
    return np.asarray(sheet)


if __name__ == "__main__":
    typer.run(main)
