"""Write an evaluation into a folder: scores, cases, confusion matrix and a page to read."""

import base64
import csv
import io
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

import numpy as np
from PIL import Image

from maskwright.evaluation.charts import Points, histogram, lines
from maskwright.evaluation.drawing import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    WRONG_CLASS,
    draw_confusion,
    draw_errors,
)
from maskwright.evaluation.evaluate import MEANS, Evaluation, Example
from maskwright.evaluation.results import (
    MEAN_NAMES,
    number,
    span,
    summary,
    write_cases,
    write_scores,
)
from maskwright.imageio import atomic_write
from maskwright.labels import Colour
from maskwright.metrics import EMPTY_RULE

_MOST_SQUARES = 24  # classes up to which the page draws the confusion matrix as a table
_DENSE_FROM = 6  # classes from which its squares are made small
_DARK_SHARE = 0.55  # of a square, from which its number is written in the colour of the page


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
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_scores(evaluation, folder / "scores.json")
    write_cases(evaluation, folder / "cases.csv")
    confusion_file = folder / "confusion.png"
    draw_confusion(evaluation.counts, evaluation.labels.names, confusion_file)
    page = folder / "report.html"
    text = _page(evaluation, confusion_file, None if run is None else Path(run))
    with atomic_write(page) as beside:
        beside.write_text(text, encoding="utf-8")
    return page


def _page(evaluation: Evaluation, confusion_file: Path, run: Path | None) -> str:
    """Text of the page."""
    template = resources.files(__package__).joinpath("report.html").read_text(encoding="utf-8")
    heading = f"{run.name if run else 'Model'} on {evaluation.data.name}, {evaluation.split} split"
    several = len(set(evaluation.cases)) > 1 and evaluation.draws > 0
    return Template(template).substitute(
        title=escape(heading),
        heading=escape(heading),
        summary=escape(f"{summary(evaluation)}."),
        warnings="".join(f'<p class="warning">{escape(text)}</p>' for text in evaluation.warnings),
        cards=_cards(evaluation),
        interval_note=" with cases drawn anew" if several else " is missing: it needs more cases",
        empty_rule=escape(EMPTY_RULE),
        classes=_class_table(evaluation),
        confusion=_confusion(evaluation, confusion_file),
        histogram=histogram(evaluation.images.mean_dice, "mean Dice of an image"),
        curves=_curves(run),
        class_legend=_class_legend(evaluation),
        error_legend=_error_legend(evaluation.card.background),
        examples=_examples(evaluation),
        skipped=_skipped(evaluation),
        settings=_settings(evaluation, run),
        training=_training(run),
        footer=escape(f"Written by Maskwright on {evaluation.date}."),
    )


def _cards(evaluation: Evaluation) -> str:
    """The three means, each with its interval and its mean over images."""
    cards = []
    for name in MEANS:
        ends = span(getattr(evaluation.intervals, name))
        interval = f"95&nbsp;% {ends}" if ends else "&nbsp;"
        aside = number(evaluation.image_wise[name])
        aside_ends = span(evaluation.image_wise_intervals[name])
        cards.append(
            f'<div class="card"><div class="muted">{_capital(MEAN_NAMES[name])}</div>'
            f'<div class="value">{number(getattr(evaluation.total, name))}</div>'
            f'<div class="interval muted">{interval}</div>'
            f'<div class="aside muted">Mean over images <b>{aside}</b>'
            f"{f' ({aside_ends})' if aside_ends else ''}</div></div>"
        )
    return "".join(cards)


def _class_table(evaluation: Evaluation) -> str:
    total, intervals, labels = evaluation.total, evaluation.intervals, evaluation.labels
    share = evaluation.counts.sum(1) / max(evaluation.counts.sum(), 1)
    rows = []
    for label, name in enumerate(labels.names):
        iou_ends, dice_ends = intervals.iou[:, label], intervals.dice[:, label]
        rows.append(
            f"<tr><th>{_swatch(labels.colours[label])}{escape(name)}</th>"
            f'<td class="gauge">{_gauge(total.iou[label], iou_ends)}</td>'
            f"{_score(total.iou[label], iou_ends)}{_score(total.dice[label], dice_ends)}"
            f"<td>{number(total.precision[label])}</td><td>{number(total.recall[label])}</td>"
            f"<td>{share[label]:.1%}</td></tr>"
        )
    rows.append(
        '<tr class="mean"><th>Mean over classes</th>'
        f'<td class="gauge">{_gauge(total.mean_iou, intervals.mean_iou)}</td>'
        f"{_score(total.mean_iou, intervals.mean_iou)}"
        f"{_score(total.mean_dice, intervals.mean_dice)}<td></td><td></td><td></td></tr>"
    )
    headings = ("Class", "", "IoU", "Dice", "Precision", "Recall", "Share of pixels")
    head = "".join(f"<th>{text}</th>" for text in headings)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _score(value: np.ndarray, ends: np.ndarray) -> str:
    """Cell with a score and its interval below."""
    interval = span(ends)
    below = f'<span class="interval">{interval}</span>' if interval else ""
    return f"<td>{number(value)}{below}</td>"


def _gauge(value: np.ndarray, ends: np.ndarray) -> str:
    """Bar from 0 to 1 with a whisker for the interval."""
    if np.isnan(value):
        return ""
    whisker = ""
    if not np.isnan(ends).any():
        low, high = (f"{100 * end:.1f}%" for end in ends)
        whisker = f'<line class="whisker" x1="{low}" x2="{high}" y1="7" y2="7"/>' + "".join(
            f'<line class="whisker" x1="{end}" x2="{end}" y1="4" y2="10"/>' for end in (low, high)
        )
    return (
        '<svg aria-hidden="true"><rect class="track" y="3" width="100%" height="8" rx="4"/>'
        f'<rect class="fill" y="3" width="{100 * float(value):.1f}%" height="8" rx="4"/>'
        f"{whisker}</svg>"
    )


def _confusion(evaluation: Evaluation, picture: Path) -> str:
    """Table of shares in coloured squares, or the picture where there are too many classes."""
    names, counts = evaluation.labels.names, evaluation.counts
    if len(names) > _MOST_SQUARES:
        encoded = base64.b64encode(picture.read_bytes()).decode()
        return f'<img width="100%" src="data:image/png;base64,{encoded}" alt="Confusion matrix">'
    rows = []
    for label, name in enumerate(names):
        size = counts[label].sum()
        cells = []
        for other, count in enumerate(counts[label]):
            share = count / max(size, 1)
            kind = ' class="full"' if share > _DARK_SHARE else ""
            kind = kind if count else ' class="none"'
            told = f"{name} taken for {names[other]}: {count:,} px"
            shown = f"{share:.1%}" if len(names) < _DENSE_FROM else f"{100 * share:.0f}"
            cells.append(
                f'<td{kind} style="--share:{share:.3f}" title="{escape(told)}">'
                f"{shown if size else '-'}</td>"
            )
        rows.append(f"<tr><th>{escape(name)}</th>{''.join(cells)}</tr>")
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    dense = " matrix-dense" if len(names) >= _DENSE_FROM else ""
    corner = "true \\ predicted" + (", %" if dense else "")
    return (
        f'<table class="matrix{dense}"><thead><tr><td class="corner">{corner}</td>{head}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _curves(run: Path | None) -> str:
    """Loss and scores by epoch from the history of a run; empty where there is none."""
    history = None if run is None else run / "history.csv"
    if history is None or not history.is_file():
        return ""
    with history.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    def points(name: str) -> Points:
        return [(float(row["epoch"]), float(row[name])) for row in rows if row.get(name)]

    charts = []
    for name, title in (("loss", "Loss"), ("mean_dice", "Mean Dice"), ("mean_iou", "Mean IoU")):
        series = {"training": points(name), "validation": points(f"val_{name}")}
        if drawn := lines(series, "epoch", title):
            charts.append(f'<div><p class="small muted">{title}</p>{drawn}</div>')
    if not charts:
        return ""
    return f'<section><h2>Training</h2><div class="curves">{"".join(charts)}</div></section>'


def _class_legend(evaluation: Evaluation) -> str:
    pairs = zip(evaluation.labels.colours, evaluation.labels.names, strict=True)
    return "".join(f"<span>{_swatch(colour)}{escape(name)}</span>" for colour, name in pairs)


def _error_legend(background: int | None) -> str:
    """What the colours of errors mean, as `draw_errors` uses them."""
    if background is None:
        meanings = [(WRONG_CLASS, "wrong class")]
    else:
        meanings = [
            (FALSE_POSITIVE, "false positive: predicted, not there"),
            (FALSE_NEGATIVE, "false negative: there, not predicted"),
            (WRONG_CLASS, "found, but taken for another class"),
        ]
    return "".join(f"<span>{_swatch(colour)}{text}</span>" for colour, text in meanings)


def _examples(evaluation: Evaluation) -> str:
    """Best, median and worst images under headings of their own."""
    parts = []
    for rank in ("best", "median", "worst"):
        figures = [_figure(evaluation, one) for one in evaluation.examples if one.rank == rank]
        if figures:
            parts.append(f"<h3>{_capital(rank)}</h3>{''.join(figures)}")
    return "".join(parts) or '<p class="muted">No image has a score.</p>'


def _figure(evaluation: Evaluation, example: Example) -> str:
    """Image, truth, prediction and errors side by side."""
    sample, images, labels = evaluation.samples[example.index], evaluation.images, evaluation.labels
    picture, truth, guess = example.picture, example.truth, example.guess
    panels = {
        "Image": picture,
        "Truth": labels.overlay(picture, truth),
        "Prediction": labels.overlay(picture, guess),
        "Errors": draw_errors(picture, truth, guess, evaluation.card.background),
    }
    case = f" · case {sample.case}" if sample.case != sample.id else ""
    scores = (
        f"Dice {number(images.mean_dice[example.index])} · IoU "
        f"{number(images.mean_iou[example.index])} · pixel accuracy "
        f"{number(images.pixel_accuracy[example.index])}{case}"
    )
    shown = "".join(
        f'<div><img src="{_inline(panel)}" alt="{name}"><span>{name}</span></div>'
        for name, panel in panels.items()
    )
    return (
        f'<figure><figcaption><b>{escape(sample.id)}</b><span class="muted">{escape(scores)}</span>'
        f'</figcaption><div class="panels">{shown}</div></figure>'
    )


def _skipped(evaluation: Evaluation) -> str:
    if not evaluation.skipped:
        return ""
    items = "".join(f"<li>{escape(skip.reason)}</li>" for skip in evaluation.skipped)
    return (
        f"<section><h2>Not scored</h2><p class='muted'>{len(evaluation.skipped)} of "
        f"{len(evaluation.samples) + len(evaluation.skipped)} images could not be used.</p>"
        f"<ul>{items}</ul></section>"
    )


def _settings(evaluation: Evaluation, run: Path | None) -> str:
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
    entries = {
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
    return "".join(
        f"<dt>{name}</dt><dd>{escape(str(value))}</dd>" for name, value in entries.items()
    )


def _training(run: Path | None) -> str:
    """Settings of the run as they were written, folded away."""
    plan = None if run is None else run / "plan.yaml"
    if plan is None or not plan.is_file():
        return ""
    text = escape(plan.read_text(encoding="utf-8"))
    return f"<details><summary>Settings of the training</summary><pre>{text}</pre></details>"


def _inline(picture: np.ndarray) -> str:
    """Picture as an address that holds it."""
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, format="WEBP", quality=88)
    return f"data:image/webp;base64,{base64.b64encode(encoded.getvalue()).decode()}"


def _swatch(colour: Colour) -> str:
    return f'<span class="swatch" style="background:rgb{colour}"></span>'


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
