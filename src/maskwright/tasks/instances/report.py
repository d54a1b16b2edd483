"""Scores of single objects as a table to read, as files for other programs, and as a page."""

from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.markup import escape as plain_text
from rich.table import Table

from maskwright.data.geometry import resize_image
from maskwright.evaluation.reports import html_report as page
from maskwright.evaluation.reports.charts import histogram
from maskwright.evaluation.reports.formatting import (
    cell,
    number,
    plain,
    span,
    write_json,
    write_rows,
)
from maskwright.instances import Instances
from maskwright.metrics.coco import CocoScores
from maskwright.metrics.instances import FN, FP, THRESHOLDS, TP
from maskwright.tasks.instances.drawing import draw_objects
from maskwright.tasks.instances.scorer import MEANS, ObjectEvaluation, ObjectExample

MEAN_NAMES = {
    "ap50": "AP at 0.5",
    "ap75": "AP at 0.75",
    "ap": "AP from 0.5 to 0.95",
    "pq": "panoptic quality",
    "aji": "aggregated Jaccard",
}
"""How the `MEANS` are called on paper."""

RULE = (
    "AP is found / (found + false + missed) of an image, averaged over images, as in the Data "
    "Science Bowl 2018; an object is found where one of its class overlaps it by more than the "
    "threshold. An image without true and found objects has no score."
)
"""What AP means; printed wherever it is."""

_CURVES = {
    "loss": "Loss",
    "mean_dice": "Mean Dice",
    "mask_iou": "IoU of masks in their boxes",
    "class_accuracy": "Classes of regions right",
}
_SHOWN_SIDE_PX = 512


def to_dict(evaluation: ObjectEvaluation) -> dict[str, Any]:
    """Plain values as `scores.json` holds them; a score that is not defined is `None`."""
    total, counts = evaluation.total, evaluation.counts
    return {
        **{name: plain(evaluation.scores[name]) for name in MEANS},
        "ap_by_overlap": {
            f"{overlap:g}": plain(value)
            for overlap, value in zip(THRESHOLDS, total.ap, strict=True)
        },
        "coco": {"masks": _coco(evaluation.masks), "boxes": _coco(evaluation.boxes)},
        "per_class": {
            name: {
                "pq": plain(total.pq[label]),
                "sq": plain(total.sq[label]),
                "rq": plain(total.rq[label]),
                "coco_ap": plain(evaluation.masks.by_class[label]),
                "found": int(counts[label, TP]),
                "false": int(counts[label, FP]),
                "missed": int(counts[label, FN]),
            }
            for label, name in enumerate(evaluation.labels.names)
            if label
        },
        "intervals": {
            **{name: plain(ends) for name, ends in evaluation.intervals.items()},
            "level": 0.95,
            "draws": evaluation.draws,
            "seed": evaluation.seed,
        },
        "split": evaluation.split,
        "images": len(evaluation.samples),
        "cases": len({sample.together for sample in evaluation.samples}),
        "skipped": [
            {"id": skip.sample.id, "image": str(skip.sample.image), "reason": skip.reason}
            for skip in evaluation.skipped
        ],
        "warnings": list(evaluation.warnings),
        "rule": RULE,
        "data": str(evaluation.data),
        "model_sha256": evaluation.card.model_sha256,
        "date": evaluation.date,
    }


def _coco(scores: CocoScores) -> dict[str, Any]:
    own = {"ap": scores.ap, "ap50": scores.ap50, "ap75": scores.ap75, **scores.by_size}
    return {name: plain(value) for name, value in own.items()}


def table(evaluation: ObjectEvaluation) -> Table:
    """Scores with 95 % intervals, for the terminal."""
    shown = Table(
        title=plain_text(f"{evaluation.split}: {summary(evaluation)}"),
        box=SIMPLE_HEAD,
        caption=plain_text("\n".join([RULE, *evaluation.warnings])),
        caption_justify="left",
    )
    shown.add_column("score", min_width=26)
    for heading in ("value", "95 %"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for name in MEANS:
        ends = evaluation.intervals[name]
        shown.add_row(page.capital(MEAN_NAMES[name]), number(evaluation.scores[name]), span(ends))
    for what, scores in (("masks", evaluation.masks), ("boxes", evaluation.boxes)):
        shown.add_row(f"COCO AP of {what}", number(scores.ap), "")
    return shown


def summary(evaluation: ObjectEvaluation) -> str:
    """What was scored, such as `24 images, 1,012 objects, 37 missed, 29 false`."""
    found, false, missed = (int(n) for n in evaluation.counts.sum(axis=0))
    parts = [
        f"{len(evaluation.samples)} images",
        f"{found + missed:,} objects",
        f"{missed:,} missed",
        f"{false:,} false",
    ]
    if evaluation.skipped:
        parts.append(f"{len(evaluation.skipped)} skipped")
    return ", ".join(parts)


def write(evaluation: ObjectEvaluation, folder: str | Path, run: str | Path | None = None) -> Path:
    """Write `scores.json`, `cases.csv` and `report.html`; returns the page.

    Args:
        evaluation: What to write.
        folder: Where; made where it is missing.
        run: Folder of the run, for its curves and settings; `None` leaves both out.
    """
    folder, run = Path(folder), None if run is None else Path(run)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(to_dict(evaluation), folder / "scores.json")
    _write_cases(evaluation, folder / "cases.csv")
    return page.write_page(
        folder / "report.html",
        overline="Maskwright evaluation",
        heading=f"{run.name if run else 'Model'} on {evaluation.data.name}, "
        f"{evaluation.split} split",
        summary=f"{summary(evaluation)}.",
        warnings=evaluation.warnings,
        cards="".join(
            page.card(
                page.capital(MEAN_NAMES[name]),
                evaluation.scores[name],
                evaluation.intervals[name],
                None,
            )
            for name in ("ap50", "ap", "pq")
        ),
        body=page.pair(_overlaps(evaluation), _histogram(evaluation))
        + _classes(evaluation)
        + page.curves(run, _CURVES)
        + _examples(evaluation),
        skipped=page.skipped(
            [skip.reason for skip in evaluation.skipped],
            f"{len(evaluation.skipped)} of {len(evaluation.samples) + len(evaluation.skipped)} "
            "images could not be used.",
        ),
        settings=_settings(evaluation, run),
        run=run,
        date=evaluation.date,
    )


def _write_cases(evaluation: ObjectEvaluation, path: Path) -> None:
    rows = []
    for place, sample in enumerate(evaluation.samples):
        counts = evaluation.tallies[place].counts[0].sum(axis=0).tolist()
        tally = evaluation.tallies[place]
        aji = tally.shared / tally.united if tally.united else float("nan")
        ap = cell(float(evaluation.image_ap[place]))
        rows.append([sample.id, sample.case, sample.image, ap, cell(aji), *counts])
    write_rows(["id", "case", "image", "ap", "aji", "found", "false", "missed"], rows, path)


def _overlaps(evaluation: ObjectEvaluation) -> str:
    """AP at every overlap, and what COCO's definitions give."""
    nothing = np.full(2, np.nan)
    rows = [
        f"<tr><th>{overlap:g}</th>"
        f'<td class="gauge">{page.gauge(value, nothing)}</td><td>{number(value)}</td></tr>'
        for overlap, value in zip(THRESHOLDS, evaluation.total.ap, strict=True)
    ]
    coco = ", ".join(
        f"{number(scores.ap)} for {what}"
        for what, scores in (("masks", evaluation.masks), ("boxes", evaluation.boxes))
    )
    note = f"{RULE} COCO's AP, which ranks by score: {coco}."
    return page.section("By overlap", page.table(("Overlap", "", "AP"), rows), note)


def _classes(evaluation: ObjectEvaluation) -> str:
    total, counts, labels = evaluation.total, evaluation.counts, evaluation.labels
    nothing = np.full(2, np.nan)
    rows = []
    for label in range(1, labels.num_classes):
        found, false, missed = counts[label].tolist()
        rows.append(
            f"<tr><th>{page.swatch(labels.colors[label])}{escape(labels.names[label])}</th>"
            f'<td class="gauge">{page.gauge(total.pq[label], nothing)}</td>'
            f"<td>{number(total.pq[label])}</td><td>{number(total.sq[label])}</td>"
            f"<td>{number(total.rq[label])}</td><td>{number(evaluation.masks.by_class[label])}</td>"
            f"<td>{found:,}</td><td>{false:,}</td><td>{missed:,}</td></tr>"
        )
    headings = ("Class", "", "PQ", "SQ", "RQ", "COCO AP", "Found", "False", "Missed")
    note = (
        "Panoptic quality is segmentation quality, the mean overlap of what was found, times "
        "recognition quality, the F1 score of finding it."
    )
    return page.section("Classes", page.scrolled(page.table(headings, rows)), note)


def _histogram(evaluation: ObjectEvaluation) -> str:
    drawn = histogram(evaluation.image_ap, "AP of an image")
    return page.section("From image to image", drawn, "AP from 0.5 to 0.95 of each image.")


def _examples(evaluation: ObjectEvaluation) -> str:
    figures = page.grouped((one.rank, _figure(evaluation, one)) for one in evaluation.examples)
    return page.section(
        "Best, median and worst",
        figures or '<p class="muted">No image has a score.</p>',
        "Images ordered by their AP. Each object has a color of its own.",
    )


def _figure(evaluation: ObjectEvaluation, example: ObjectExample) -> str:
    sample = evaluation.samples[example.index]
    found, false, missed = evaluation.tallies[example.index].counts[0].sum(axis=0).tolist()
    text = (
        f"AP {number(evaluation.image_ap[example.index])} · {found} found, {false} false, "
        f"{missed} missed at an overlap of 0.5"
    )
    picture = example.picture

    def drawn(objects: Instances) -> np.ndarray:
        return _shown(draw_objects(picture, objects))

    panels = [
        ("Image", _shown(picture)),
        ("True objects", drawn(example.true)),
        ("Found objects", drawn(example.found)),
    ]
    return page.figure(sample.id, text, panels)


def _shown(picture: np.ndarray) -> np.ndarray:
    scale = min(_SHOWN_SIDE_PX / max(picture.shape[:2]), 1.0)
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    return resize_image(picture, (height, width))


def _settings(evaluation: ObjectEvaluation, run: Path | None) -> dict[str, object]:
    card = evaluation.card
    if card.size is not None:
        view = f"whole images resized to {card.size[0]} x {card.size[1]} px"
    else:
        view = "images at their own scale" + (f" in tiles of {card.tile} px" if card.tile else "")
    thresholds = f"score {card.score:g}"
    if card.method == "centers":
        thresholds = f"foreground {card.foreground:g}, marker {card.marker:g}"
    return {
        "Run": run or "not given",
        "Data": evaluation.data,
        "Split": evaluation.split,
        "Method": {"centers": "centers and distances", "mask_rcnn": "Mask R-CNN"}[card.method],
        "Model sees": view,
        "Thresholds": f"{thresholds}, least area {card.min_area_px} px",
        "Intervals": f"percentile bootstrap over cases, {evaluation.draws} draws, "
        f"seed {evaluation.seed}",
        "Model": f"SHA-256 {card.model_sha256[:16]}, trained with Maskwright {card.version}",
    }
