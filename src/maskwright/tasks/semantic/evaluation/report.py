"""What is shown and written of an evaluation of masks of classes."""

from functools import partial

from maskwright.evaluation.reports import charts
from maskwright.evaluation.reports.build import (
    card,
    cell,
    confusion_matrix,
    counted,
    gauge,
    interval_note,
    model_input,
    model_settings,
    upper_first,
)
from maskwright.evaluation.reports.formatting import number, span
from maskwright.evaluation.reports.parts import (
    Card,
    Chart,
    Column,
    Page,
    Report,
    Row,
    Table,
    TableCell,
)
from maskwright.labels import Color
from maskwright.metrics import EMPTY_RULE
from maskwright.tasks.semantic.evaluation.drawing import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    WRONG_CLASS,
)
from maskwright.tasks.semantic.evaluation.files import case_rows, scores_dict
from maskwright.tasks.semantic.evaluation.scores import MEANS, PER_CLASS, SemanticEvaluation

TEMPLATE = "tasks/semantic/evaluation/report.html"

_MAX_CELLS = 24  # classes up to which the confusion matrix is a table, not a picture
_CURVES = {"loss": "Loss", "mean_dice": "Mean Dice", "mean_iou": "Mean IoU"}
_FLIPS = {False: "none", True: "mirror image averaged", "all": "four averaged"}


def semantic_report(evaluation: SemanticEvaluation) -> Report:
    """Report of an evaluation of masks."""
    accuracy = f"Pixel accuracy {number(evaluation.total.pixel_accuracy)}"
    if ends := span(evaluation.intervals.pixel_accuracy):
        accuracy += f", 95 % {ends}"
    return Report(
        evaluation=evaluation,
        summary=summary(evaluation),
        table=_table(evaluation),
        scores=scores_dict(evaluation),
        cases=case_rows(evaluation),
        page=partial(_page, evaluation),
        notes=(f"{accuracy}.", EMPTY_RULE),
    )


def summary(evaluation: SemanticEvaluation) -> str:
    """What was scored, such as `101 images of 40 cases, at the original size`."""
    parts = [counted(len(evaluation.samples), "image")]
    if evaluation.num_cases < len(evaluation.samples):
        parts[0] += f" of {counted(evaluation.num_cases, 'case')}"
    if evaluation.options.size == "original" or evaluation.card.size is None:
        parts.append("at the original size")
    else:
        height, width = evaluation.card.size
        parts.append(f"at the working size, {height} x {width} px")
    if evaluation.options.flips:
        parts.append("flips averaged")
    if evaluation.skipped:
        parts.append(f"{len(evaluation.skipped)} skipped")
    return ", ".join(parts)


def _table(evaluation: SemanticEvaluation) -> Table:
    """Scores of each class, and their means over classes and over images."""
    total, intervals, labels = evaluation.total, evaluation.intervals, evaluation.labels
    share = evaluation.counts.sum(1) / max(evaluation.counts.sum(), 1)
    rows = []
    for label, name in enumerate(labels.names):
        cells = [
            cell(getattr(total, score.key)[label], getattr(intervals, score.key)[:, label])
            if score.interval
            else cell(getattr(total, score.key)[label])
            for score in PER_CLASS
        ]
        rows.append(
            Row(
                title=name,
                cells=(*cells, TableCell(f"{share[label]:.1%}")),
                gauge=gauge(total.iou[label], intervals.iou[:, label]),
                color=labels.colors[label],
            )
        )
    for title, scores, ends in (
        ("mean (classes)", vars(total), vars(intervals)),
        ("mean (images)", evaluation.image_wise, evaluation.image_wise_intervals),
    ):
        means = {mean.key: cell(scores[mean.key], ends[mean.key]) for mean in MEANS}
        rows.append(
            Row(
                title=upper_first(title),
                short=title,
                cells=(*(means.get(f"mean_{s.key}", TableCell()) for s in PER_CLASS), TableCell()),
                gauge=gauge(scores["mean_iou"], ends["mean_iou"]),
                total=True,
            )
        )
    return Table(
        title="Classes",
        first="Class",
        columns=(
            # A terminal has room for one column of intervals.
            *(Column(s.title, s.short, interval=s is PER_CLASS[0]) for s in PER_CLASS),
            Column("Share of pixels", "pixels"),
        ),
        rows=tuple(rows),
        note=f"All pixels of the split taken together. {interval_note(evaluation)} {EMPTY_RULE}",
    )


def _page(evaluation: SemanticEvaluation) -> Page:
    labels, counts = evaluation.labels, evaluation.counts
    note = "Each row shows how the pixels of a true class were predicted."
    is_table = labels.num_classes <= _MAX_CELLS
    title, draw = "Confusion matrix", partial(charts.confusion, counts, labels.names)
    distribution = Chart(
        "Distribution over images",
        "Dice of each image, averaged over the classes that occur in it.",
        charts.histogram(evaluation.images.mean_dice, "mean Dice of an image"),
    )
    return Page(
        settings=_settings(evaluation),
        cards=_cards(evaluation),
        matrices=(confusion_matrix(title, note, counts, labels.names, "px"),) if is_table else (),
        charts=(distribution,) if is_table else (Chart(title, note, draw()), distribution),
        curves=_CURVES,
        template=TEMPLATE,
        context={
            "examples_note": "Images ordered by their mean Dice. Median images show what to "
            "expect, the worst where to look for errors.",
            "classes": list(zip(labels.colors, labels.names, strict=True)),
            "errors": error_colors(evaluation.card.background),
        },
        files={"confusion.png": draw},
    )


def _cards(evaluation: SemanticEvaluation) -> tuple[Card, ...]:
    """The means, each with its interval and its mean over images."""
    return tuple(
        card(
            upper_first(mean.title),
            getattr(evaluation.total, mean.key),
            getattr(evaluation.intervals, mean.key),
            (
                "Mean over images",
                number(evaluation.image_wise[mean.key]),
                span(evaluation.image_wise_intervals[mean.key]),
            ),
        )
        for mean in MEANS
        if mean.card
    )


def error_colors(background: int | None) -> list[tuple[Color, str]]:
    """What the colors of errors mean, as `draw_errors` uses them."""
    if background is None:
        return [(WRONG_CLASS, "wrong class")]
    return [
        (FALSE_POSITIVE, "false positive"),
        (FALSE_NEGATIVE, "false negative"),
        (WRONG_CLASS, "foreground of another class"),
    ]


def _settings(evaluation: SemanticEvaluation) -> dict[str, object]:
    """What a reader needs to measure the same again."""
    card, options = evaluation.card, evaluation.options
    cleaning = [
        f"components under {card.min_area_px} px removed" if card.min_area_px else "",
        f"holes up to {card.fill_holes_px} px filled" if card.fill_holes_px else "",
        "only the largest component kept" if card.keep_largest else "",
    ]
    decision = "most probable class"
    return {
        "Model input": model_input(card.size, card.tile),
        "Scored at": "original size" if options.size == "original" else "working size",
        "Flips": _FLIPS[options.flips],
        "Decision": decision if card.threshold is None else f"threshold {card.threshold:g}",
        "Postprocessing": ", ".join(filter(None, cleaning)) or "none",
        **model_settings(evaluation),
    }
