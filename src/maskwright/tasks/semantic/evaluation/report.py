"""What is shown and written of an evaluation of masks of classes."""

from functools import partial

from maskwright.data.samples import counted
from maskwright.evaluation.reports import charts
from maskwright.evaluation.reports.formatting import number, span
from maskwright.evaluation.reports.parts import (
    NO_INTERVAL,
    Card,
    Chart,
    Column,
    Matrix,
    Page,
    Report,
    Row,
    Table,
    TableCell,
    cell,
    gauge,
    interval_note,
    model_input,
    model_settings,
    upper_first,
)
from maskwright.metrics.confusion import EMPTY_RULE, TRUTH
from maskwright.model_card import STEPS, postprocessing_of
from maskwright.tasks.semantic.evaluation.details.image_tables import mean_name
from maskwright.tasks.semantic.evaluation.details.page import (
    column_tables,
    detail_notes,
    detail_parts,
)
from maskwright.tasks.semantic.evaluation.drawing import error_colors
from maskwright.tasks.semantic.evaluation.score_files import image_rows, scores_of
from maskwright.tasks.semantic.evaluation.scores import MEANS, PER_CLASS, SemanticEvaluation

_BLANK = (TableCell(), TableCell())
_MAX_CELLS = 24  # classes up to which the confusion matrix is a table, not a picture
_CURVES = {"loss": "Loss", "mean_dice": "Mean Dice", "mean_iou": "Mean IoU"}
_FLIPS = {False: "none", True: "mirror image averaged", "all": "four averaged"}


def semantic_report(evaluation: SemanticEvaluation) -> Report:
    """Report of an evaluation of masks."""
    notes = [EMPTY_RULE]
    if MEANS[-1] in evaluation.means:
        accuracy = f"Pixel accuracy {number(evaluation.total.pixel_accuracy)}"
        if ends := span(evaluation.intervals.pixel_accuracy):
            accuracy += f", 95 % {ends}"
        notes.insert(0, f"{accuracy}.")
    return Report(
        evaluation=evaluation,
        summary=_summary(evaluation),
        table=_table(evaluation),
        scores=scores_of(evaluation),
        cases=image_rows(evaluation),
        page=partial(_page, evaluation),
        notes=(*notes, *detail_notes(evaluation)),
        further_tables=column_tables(evaluation),
    )


def _summary(evaluation: SemanticEvaluation) -> str:
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
    total, intervals = vars(evaluation.total), vars(evaluation.intervals)
    labels = evaluation.labels
    share = evaluation.tallies[:, TRUTH].sum(axis=0) / max(evaluation.pixels, 1)
    rows = []
    for label, (name, color) in enumerate(zip(labels.names, labels.colors, strict=True)):
        cells = [
            cell(total[s.key][label], intervals[s.key][:, label] if s.interval else NO_INTERVAL)
            for s in PER_CLASS
        ]
        cells.append(TableCell(f"{evaluation.class_cases[label]}"))
        cells.append(TableCell(f"{share[label]:.1%}"))
        bar = gauge(total["iou"][label], intervals["iou"][:, label])
        rows.append(Row(title=name, cells=tuple(cells), gauge=bar, color=color))
    for title, scores, ends in (
        ("mean (classes)", total, intervals),
        (f"mean ({mean_name(evaluation)})", evaluation.image_wise, evaluation.image_wise_intervals),
    ):
        means = {mean.key: cell(scores[mean.key], ends[mean.key]) for mean in evaluation.means}
        rows.append(
            Row(
                title=upper_first(title),
                short=title,
                cells=(*(means.get(f"mean_{s.key}", TableCell()) for s in PER_CLASS), *_BLANK),
                gauge=gauge(scores["mean_iou"], ends["mean_iou"]),
                total=True,
            )
        )
    # A terminal has room for one column of intervals.
    columns = [Column(s.title, s.short, interval=s is PER_CLASS[0]) for s in PER_CLASS]
    return Table(
        title="Classes",
        first="Class",
        columns=(*columns, Column("Cases", "cases"), Column("Share of pixels", page_only=True)),
        rows=tuple(rows),
        note=f"All pixels of the split taken together. {interval_note(evaluation)} {EMPTY_RULE}",
    )


def _page(evaluation: SemanticEvaluation) -> Page:
    labels, counts = evaluation.labels, evaluation.counts
    note = "Each row shows how the pixels of a true class were predicted."
    overlapping = evaluation.card.overlapping
    is_table = labels.num_classes <= _MAX_CELLS
    title, draw = "Confusion matrix", partial(charts.confusion, counts, labels.names)
    matrix = () if overlapping else (Matrix(title, note, counts, labels.names, "px"),)
    distribution = Chart(
        "Distribution over images",
        "Dice of each image, averaged over the classes that occur in it.",
        charts.histogram(evaluation.images.mean_dice, "mean Dice of an image"),
    )
    tables, further, files = detail_parts(evaluation)
    return Page(
        settings=_settings(evaluation),
        cards=tuple(_card(evaluation, m.key, upper_first(m.title)) for m in evaluation.means),
        matrices=matrix if is_table else (),
        charts=(
            *(() if is_table or overlapping else (Chart(title, note, draw()),)),
            distribution,
            *further,
        ),
        tables=tables,
        curves=_CURVES,
        examples_note="Images ordered by their mean Dice. Median images show what to expect, the "
        "worst where to look for errors.",
        legends=(
            list(zip(labels.colors, labels.names, strict=True)),
            error_colors(evaluation.card.background, overlapping),
        ),
        files=files if overlapping else {"confusion.png": draw, **files},
    )


def _card(evaluation: SemanticEvaluation, key: str, title: str) -> Card:
    """A mean with its interval, and its mean over images."""
    over_images = evaluation.image_wise[key], evaluation.image_wise_intervals[key]
    return Card(
        title,
        number(getattr(evaluation.total, key)),
        span(getattr(evaluation.intervals, key)),
        (f"Mean over {mean_name(evaluation)}", number(over_images[0]), span(over_images[1])),
    )


def _settings(evaluation: SemanticEvaluation) -> dict[str, object]:
    card = evaluation.card
    steps = postprocessing_of(card).items()
    cleaning = [STEPS[name].applied.format(value) for name, value in steps if value]
    decision = "most probable class"
    if card.overlapping and card.threshold is None:
        each = zip(card.labels.names, card.thresholds, strict=True)
        decision = "thresholds " + ", ".join(f"{name} {value:g}" for name, value in each)
    return {
        "Model input": model_input(card.size, card.tile),
        "Scored at": f"{evaluation.options.size} size",
        "Flips": _FLIPS[evaluation.options.flips],
        "Decision": decision if card.threshold is None else f"threshold {card.threshold:g}",
        "Postprocessing": ", ".join(cleaning) or "none",
        **model_settings(evaluation),
    }
