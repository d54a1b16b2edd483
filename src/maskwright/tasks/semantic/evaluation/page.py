"""What only the HTML report of an evaluation of masks shows: charts, settings and examples."""

from functools import partial

from maskwright.evaluation.reports import charts
from maskwright.evaluation.reports.formatting import number, span
from maskwright.evaluation.reports.kept_promises import kept_charts, kept_table
from maskwright.evaluation.reports.parts import (
    Card,
    Chart,
    Matrix,
    Page,
    model_input,
    model_settings,
    upper_first,
)
from maskwright.model_card import STEPS, postprocessing_of
from maskwright.tasks.semantic.evaluation.details.image_tables import mean_name
from maskwright.tasks.semantic.evaluation.details.page import detail_parts
from maskwright.tasks.semantic.evaluation.drawing import error_colors
from maskwright.tasks.semantic.evaluation.scores import SemanticEvaluation

_MAX_CELLS = 24  # classes up to which the confusion matrix is a table, not a picture
_CURVES = {
    "loss": "Loss",
    "foreground_dice": "Foreground Dice",
    "mean_dice": "Mean Dice",
    "mean_iou": "Mean IoU",
}
_FLIPS = {False: "none", True: "mirror image averaged", "all": "four averaged"}


def evaluation_page(evaluation: SemanticEvaluation) -> Page:
    """The page of an evaluation."""
    labels, counts = evaluation.labels, evaluation.counts
    note = "Each row shows how the pixels of a true class were predicted."
    overlapping = evaluation.card.overlapping
    is_table = labels.num_classes <= _MAX_CELLS
    title, draw = "Confusion matrix", partial(charts.confusion, counts, labels.names)
    matrix = () if overlapping else (Matrix(title, note, counts, labels.names, "px"),)
    distribution = Chart(
        "Distribution over images",
        "Dice of each image, averaged over the classes of the foreground that it holds.",
        charts.histogram(evaluation.images.foreground_dice, "Dice of an image"),
    )
    tables, further, files = detail_parts(evaluation)
    if (trust := evaluation.trust) is not None:
        tables, further = (kept_table(trust), *tables), (*further, *kept_charts(trust))
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
        examples_note="Images ordered by the Dice of their foreground. Median images show what to "
        "expect, the worst where to look for errors.",
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
