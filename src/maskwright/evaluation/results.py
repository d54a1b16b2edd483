"""Scores as a table to read, and as JSON and CSV for other programs."""

from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from maskwright.evaluation.evaluate import MEANS, Evaluation
from maskwright.evaluation.reports.formatting import (
    cell,
    number,
    plain,
    span,
    write_json,
    write_rows,
)
from maskwright.metrics import EMPTY_RULE
from maskwright.metrics.confusion import TRUTH

PER_CLASS = ("iou", "dice", "precision", "recall")
"""Fields of `Scores` that have a value for each class."""

MEAN_NAMES = {"mean_iou": "mean IoU", "mean_dice": "mean Dice", "pixel_accuracy": "pixel accuracy"}
"""How the `MEANS` are called on paper."""


def to_dict(evaluation: Evaluation) -> dict[str, Any]:
    """Plain values as `scores.json` holds them; a score that is not defined is `None`."""
    total, intervals = evaluation.total, evaluation.intervals
    names = evaluation.labels.names
    pixels = evaluation.counts.sum(1)
    return {
        **{name: plain(getattr(total, name)) for name in MEANS},
        "per_class": {
            label_name: {
                **{name: plain(getattr(total, name)[label]) for name in PER_CLASS},
                "pixels": int(pixels[label]),
            }
            for label, label_name in enumerate(names)
        },
        "image_wise": {
            **{name: plain(evaluation.image_wise[name]) for name in MEANS},
            "per_class": {
                label_name: {
                    name: plain(evaluation.image_wise[name][label]) for name in ("iou", "dice")
                }
                for label, label_name in enumerate(names)
            },
        },
        "intervals": {
            **{name: plain(getattr(intervals, name)) for name in MEANS},
            "per_class": {
                label_name: {
                    name: plain(getattr(intervals, name)[:, label]) for name in ("iou", "dice")
                }
                for label, label_name in enumerate(names)
            },
            "image_wise": {
                name: plain(ends) for name, ends in evaluation.image_wise_intervals.items()
            },
            "level": 0.95,
            "draws": evaluation.draws,
            "seed": evaluation.seed,
        },
        "confusion": evaluation.counts.tolist(),
        "split": evaluation.split,
        "images": len(evaluation.samples),
        "cases": len(set(evaluation.cases)),
        "scored_at": evaluation.scored_at,
        "flips": evaluation.flips,
        "skipped": [
            {"id": skip.sample.id, "image": str(skip.sample.image), "reason": skip.reason}
            for skip in evaluation.skipped
        ],
        "warnings": list(evaluation.warnings),
        "empty_rule": EMPTY_RULE,
        "data": str(evaluation.data),
        "model_sha256": evaluation.card.model_sha256,
        "date": evaluation.date,
    }


def table(evaluation: Evaluation) -> Table:
    """Scores of each class and their means, with 95 % intervals, for the terminal."""
    total, intervals = evaluation.total, evaluation.intervals
    accuracy = f"Pixel accuracy {number(total.pixel_accuracy)}"
    if ends := span(intervals.pixel_accuracy):
        accuracy += f", 95 % {ends}"
    shown = Table(
        title=escape(f"{evaluation.split}: {summary(evaluation)}"),
        box=SIMPLE_HEAD,
        caption=escape("\n".join([f"{accuracy}.", EMPTY_RULE, *evaluation.warnings])),
        caption_justify="left",
    )
    # Narrow enough for a terminal of 80 columns, which would cut the names of the classes.
    shown.add_column("class", min_width=14)
    for heading in ("IoU", "95 %", "Dice", "precision", "recall", "pixels"):
        shown.add_column(heading, justify="right", no_wrap=True)
    share = evaluation.counts.sum(1) / max(evaluation.counts.sum(), 1)
    for label, name in enumerate(evaluation.labels.names):
        shown.add_row(
            escape(name),
            number(total.iou[label]),
            span(intervals.iou[:, label]),
            number(total.dice[label]),
            number(total.precision[label]),
            number(total.recall[label]),
            f"{share[label]:.1%}",
            end_section=label == evaluation.labels.num_classes - 1,
        )
    for name, iou, limits, dice in (
        ("mean (classes)", total.mean_iou, intervals.mean_iou, total.mean_dice),
        (
            "mean (images)",
            evaluation.image_wise["mean_iou"],
            evaluation.image_wise_intervals["mean_iou"],
            evaluation.image_wise["mean_dice"],
        ),
    ):
        shown.add_row(name, number(iou), span(limits), number(dice))
    return shown


def summary(evaluation: Evaluation) -> str:
    """What was scored, such as `101 images of 101 cases, at the size of the originals`."""
    parts = [f"{len(evaluation.samples)} images"]
    num_cases = len(set(evaluation.cases))
    if num_cases < len(evaluation.samples):
        parts[0] += f" of {num_cases} cases"
    if evaluation.scored_at == "original" or evaluation.card.size is None:
        parts.append("at the size of the originals")
    else:
        height, width = evaluation.card.size
        parts.append(f"at the working size, {height} x {width} px")
    if evaluation.flips:
        parts.append("flips averaged")
    if evaluation.skipped:
        parts.append(f"{len(evaluation.skipped)} skipped")
    return ", ".join(parts)


def write_scores(evaluation: Evaluation, path: Path) -> None:
    """Write `to_dict` as JSON."""
    write_json(to_dict(evaluation), path)


def write_cases(evaluation: Evaluation, path: Path) -> None:
    """Write one line of scores for each image as CSV; what is not defined is left empty."""
    images = evaluation.images
    names = evaluation.labels.names
    per_class = [f"{kind} {name}" for kind in ("iou", "dice") for name in names]
    rows = []
    for place, sample in enumerate(evaluation.samples):
        means = [cell(getattr(images, name)[place]) for name in MEANS]
        pixels = int(evaluation.tallies[place, TRUTH].sum())
        classes = [cell(value) for value in (*images.iou[place], *images.dice[place])]
        rows.append([sample.id, sample.case, sample.image, *means, pixels, *classes])
    write_rows(["id", "case", "image", *MEANS, "pixels", *per_class], rows, path)
