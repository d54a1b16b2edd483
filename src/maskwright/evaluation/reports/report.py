"""Write an evaluation into a folder: scores, cases, confusion matrix and a page to read."""

from html import escape
from pathlib import Path

import numpy as np

from maskwright.evaluation.evaluate import MEANS, Evaluation, Example
from maskwright.evaluation.reports import html_report as page
from maskwright.evaluation.reports.charts import histogram
from maskwright.evaluation.reports.drawing import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    WRONG_CLASS,
    draw_confusion,
    draw_errors,
)
from maskwright.evaluation.reports.formatting import number, span
from maskwright.evaluation.results import MEAN_NAMES, summary, write_cases, write_scores
from maskwright.labels import Color
from maskwright.metrics import EMPTY_RULE

_MOST_SQUARES = 24  # classes up to which the page draws the confusion matrix as a table
_CURVES = {"loss": "Loss", "mean_dice": "Mean Dice", "mean_iou": "Mean IoU"}


def write(evaluation: Evaluation, folder: str | Path, run: str | Path | None = None) -> Path:
    """Write `scores.json`, `cases.csv`, `confusion.png` and `report.html`.

    Args:
        evaluation: What to write.
        folder: Where; made where it is missing.
        run: Folder of the run, for the curves of its `history.csv` and the settings of its
            `plan.yaml` where they are there; `None` leaves both out.

    Returns:
        The page, which holds its pictures and loads nothing from elsewhere.
    """
    folder, run = Path(folder), None if run is None else Path(run)
    folder.mkdir(parents=True, exist_ok=True)
    write_scores(evaluation, folder / "scores.json")
    write_cases(evaluation, folder / "cases.csv")
    confusion_file = folder / "confusion.png"
    draw_confusion(evaluation.counts, evaluation.labels.names, confusion_file)
    return page.write_page(
        folder / "report.html",
        overline="Maskwright evaluation",
        heading=f"{run.name if run else 'Model'} on {evaluation.data.name}, "
        f"{evaluation.split} split",
        summary=f"{summary(evaluation)}.",
        warnings=evaluation.warnings,
        cards=_cards(evaluation),
        body=_classes(evaluation)
        + page.pair(_confusion(evaluation, confusion_file), _histogram(evaluation))
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


def _cards(evaluation: Evaluation) -> str:
    """The three means, each with its interval and its mean over images."""
    return "".join(
        page.card(
            page.capital(MEAN_NAMES[name]),
            getattr(evaluation.total, name),
            getattr(evaluation.intervals, name),
            (
                "Mean over images",
                number(evaluation.image_wise[name]),
                span(evaluation.image_wise_intervals[name]),
            ),
        )
        for name in MEANS
    )


def _classes(evaluation: Evaluation) -> str:
    """Scores of each class and their means."""
    total, intervals, labels = evaluation.total, evaluation.intervals, evaluation.labels
    share = evaluation.counts.sum(1) / max(evaluation.counts.sum(), 1)
    rows = []
    for label, name in enumerate(labels.names):
        iou_ends, dice_ends = intervals.iou[:, label], intervals.dice[:, label]
        rows.append(
            f"<tr><th>{page.swatch(labels.colors[label])}{escape(name)}</th>"
            f'<td class="gauge">{page.gauge(total.iou[label], iou_ends)}</td>'
            f"{_score(total.iou[label], iou_ends)}{_score(total.dice[label], dice_ends)}"
            f"<td>{number(total.precision[label])}</td><td>{number(total.recall[label])}</td>"
            f"<td>{share[label]:.1%}</td></tr>"
        )
    rows.append(
        '<tr class="mean"><th>Mean over classes</th>'
        f'<td class="gauge">{page.gauge(total.mean_iou, intervals.mean_iou)}</td>'
        f"{_score(total.mean_iou, intervals.mean_iou)}"
        f"{_score(total.mean_dice, intervals.mean_dice)}<td></td><td></td><td></td></tr>"
    )
    headings = ("Class", "", "IoU", "Dice", "Precision", "Recall", "Share of pixels")
    several = len(set(evaluation.cases)) > 1 and evaluation.draws > 0
    interval = "with cases drawn anew" if several else "is missing: it needs more cases"
    note = (
        "All pixels of the split taken together; in small type, the 95\N{NO-BREAK SPACE}% interval "
        f"{interval}. {EMPTY_RULE}"
    )
    return page.section("Classes", page.scrolled(page.table(headings, rows)), note)


def _score(value: np.ndarray, ends: np.ndarray) -> str:
    return page.score(number(value), span(ends))


def _confusion(evaluation: Evaluation, picture: Path) -> str:
    """Table of shares in colored squares, or the picture where there are too many classes."""
    names = evaluation.labels.names
    if len(names) > _MOST_SQUARES:
        shown = page.embedded(picture, "Confusion matrix")
    else:
        shown = page.matrix(evaluation.counts, names, "px")
    note = "Each row shows where the pixels of a true class went."
    return page.section("What is taken for what", page.scrolled(shown), note)


def _histogram(evaluation: Evaluation) -> str:
    drawn = histogram(evaluation.images.mean_dice, "mean Dice of an image")
    note = "Dice of each image, averaged over the classes that occur in it."
    return page.section("From image to image", drawn, note)


def _examples(evaluation: Evaluation) -> str:
    """Best, median and worst images under headings of their own."""
    labels = evaluation.labels
    figures = page.grouped((one.rank, _figure(evaluation, one)) for one in evaluation.examples)
    return page.section(
        "Best, median and worst",
        page.legend(zip(labels.colors, labels.names, strict=True))
        + page.legend(_error_colors(evaluation.card.background))
        + (figures or '<p class="muted">No image has a score.</p>'),
        "Images ordered by their mean Dice. Median images show what to expect, the worst what to "
        "look into.",
    )


def _error_colors(background: int | None) -> list[tuple[Color, str]]:
    """What the colors of errors mean, as `draw_errors` uses them."""
    if background is None:
        return [(WRONG_CLASS, "wrong class")]
    return [
        (FALSE_POSITIVE, "false positive: predicted, not there"),
        (FALSE_NEGATIVE, "false negative: there, not predicted"),
        (WRONG_CLASS, "found, but taken for another class"),
    ]


def _figure(evaluation: Evaluation, example: Example) -> str:
    """Image, truth, prediction and errors side by side."""
    sample, images, labels = evaluation.samples[example.index], evaluation.images, evaluation.labels
    picture, truth, guess = example.picture, example.truth, example.guess
    case = f" · case {sample.case}" if sample.case != sample.id else ""
    scores = (
        f"Dice {number(images.mean_dice[example.index])} · IoU "
        f"{number(images.mean_iou[example.index])} · pixel accuracy "
        f"{number(images.pixel_accuracy[example.index])}{case}"
    )
    panels = [
        ("Image", picture),
        ("Truth", labels.overlay(picture, truth)),
        ("Prediction", labels.overlay(picture, guess)),
        ("Errors", draw_errors(picture, truth, guess, evaluation.card.background)),
    ]
    return page.figure(sample.id, scores, panels)


def _settings(evaluation: Evaluation, run: Path | None) -> dict[str, object]:
    """What a reader needs to measure the same again."""
    card = evaluation.card
    if card.size is not None:
        view = f"whole images resized to {card.size[0]} x {card.size[1]} px"
    else:
        tiles = f" in tiles of {card.tile} px" if card.tile else ""
        view = f"images at their own scale{tiles}"
    cleaning = [
        f"components under {card.min_area_px} px removed" if card.min_area_px else "",
        f"holes up to {card.fill_holes_px} px filled" if card.fill_holes_px else "",
        "only the largest component kept" if card.keep_largest else "",
    ]
    flips = {False: "none", True: "mirror image averaged", "all": "four averaged"}
    return {
        "Run": run or "not given",
        "Data": evaluation.data,
        "Split": evaluation.split,
        "Model sees": view,
        "Scored at": "size of the originals"
        if evaluation.scored_at == "original"
        else "working size",
        "Flips": flips[evaluation.flips],
        "Decision": "most probable class"
        if card.threshold is None
        else f"threshold {card.threshold:g}",
        "Cleaning": ", ".join(filter(None, cleaning)) or "none",
        "Intervals": f"percentile bootstrap over cases, {evaluation.draws} draws, "
        f"seed {evaluation.seed}",
        "Model": f"SHA-256 {card.model_sha256[:16]}, trained with Maskwright {card.version}",
    }
