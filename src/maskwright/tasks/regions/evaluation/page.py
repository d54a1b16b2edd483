"""Charts, tables and settings that the HTML report of decisions shows besides the scores."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from maskwright.data.samples import counted
from maskwright.evaluation.reports import charts, parts
from maskwright.evaluation.reports.formatting import number, span
from maskwright.evaluation.reports.svg import standalone
from maskwright.imageio import write_text
from maskwright.metrics import Decisions, calibration_curve, precision_recall_curve, roc_curve
from maskwright.tasks.regions.evaluation.scores import SCORES, BagDecision, RegionEvaluation
from maskwright.tasks.regions.trust.report import answer_tables

_CURVES = {
    "loss": "Loss",
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
    "binary_accuracy": "Accuracy",
}
_MAX_ROWS = 1000  # of the table of decisions; the others are in cases.csv
_TRUE, _PREDICTED = "ground truth masks", "predicted masks"
_UNITS = {
    "region": "each region alone",
    "image": "each image, all its regions together",
    "case": "each case, all regions of all its images together",
}


def region_page(evaluation: RegionEvaluation) -> parts.Page:
    """Page of an evaluation of decisions."""
    roc = _roc(evaluation)
    return parts.Page(
        settings=_settings(evaluation),
        cards=_cards(evaluation),
        matrices=_matrices(evaluation),
        charts=(
            roc,
            _precision_recall(evaluation),
            _calibration(evaluation),
            _histograms(evaluation),
        ),
        tables=(*answer_tables(evaluation.trust), _bag_table(evaluation)),
        curves=_CURVES,
        examples_note="What decisions were made on, ordered by the probability of the true answer.",
        files={"roc.svg": partial(write_text, text=standalone(roc.svg))},
    )


def _variants(evaluation: RegionEvaluation) -> list[tuple[str, Decisions, np.ndarray]]:
    """Name, scores and probabilities with true and, if there are any, with predicted masks."""
    variants = [(_TRUE, evaluation.true, evaluation.probabilities)]
    if evaluation.predicted is not None:
        variants.append((_PREDICTED, evaluation.predicted, evaluation.predicted_probabilities))
    return variants


def _cards(evaluation: RegionEvaluation) -> tuple[parts.Card, ...]:
    cards = []
    for score in SCORES:
        if not score.card:
            continue
        aside = None
        if evaluation.predicted is not None:
            aside = (
                parts.upper_first(_PREDICTED),
                number(getattr(evaluation.predicted, score.key)),
                span(evaluation.predicted_intervals[score.key]),
            )
        title = parts.upper_first(score.title.format(100 * evaluation.specificity))
        value, ends = getattr(evaluation.true, score.key), evaluation.intervals[score.key]
        cards.append(parts.Card(title, number(value), span(ends), aside))
    return tuple(cards)


def _matrices(evaluation: RegionEvaluation) -> tuple[parts.Matrix, ...]:
    names, units = evaluation.card.names, f"{evaluation.card.unit}s"
    note = (
        f"Decided {names[1]} from a probability of {evaluation.card.threshold:.3g}; each row shows "
        f"how the {units} of a true class were decided."
    )
    title = "Confusion matrix"
    return tuple(
        parts.Matrix(
            f"{title}, {name}" if evaluation.has_predicted else title,
            note,
            decisions.confusion,
            names,
            units,
            show_counts=True,
        )
        for name, decisions, _ in _variants(evaluation)
    )


def _roc(evaluation: RegionEvaluation) -> parts.Chart:
    negative, positive = evaluation.card.names
    series: dict[str, charts.Points] = {}
    marks = []
    for name, decisions, probabilities in _variants(evaluation):
        false_alarms, hits, _ = roc_curve(evaluation.labels, probabilities)
        label = f"{name}, AUC {number(decisions.roc_auc)}"
        series[label] = list(zip(false_alarms, hits, strict=True))
        marks.append((1 - decisions.specificity, decisions.sensitivity))
    note = (
        f"Sensitivity, the share of {positive} that is decided so, against the share of {negative} "
        f"that is decided {positive}, at every threshold; the ring is at "
        f"{evaluation.card.threshold:.3g}, the dotted line is chance."
    )
    axes = ("1 - specificity", "sensitivity")
    return parts.Chart(
        "ROC curve", note, charts.unit_curves(series, axes, "ROC curve", marks=marks)
    )


def _precision_recall(evaluation: RegionEvaluation) -> parts.Chart:
    positive = evaluation.card.names[1]
    series: dict[str, charts.Points] = {}
    for name, decisions, probabilities in _variants(evaluation):
        precision, recall, _ = precision_recall_curve(evaluation.labels, probabilities)
        # Between two thresholds there is no precision: steps, not slopes. Thresholds without new
        # positives are left out, as they are of the average precision.
        before = np.append(0.0, recall[:-1])
        corners = np.stack([before, precision, recall, precision], axis=-1)
        corners = corners[recall > before].reshape(-1, 2)
        label = f"{name}, AP {number(decisions.average_precision)}"
        series[label] = [(x, y) for x, y in corners]
    share = float(evaluation.labels.mean())
    note = (
        f"Precision, the share of decisions for {positive} that are right, against recall, the "
        f"share of {positive} that is decided so; the dotted line is chance, the share of "
        f"{positive}: {share:.1%}."
    )
    title = "Precision-recall curve"
    return parts.Chart(
        title, note, charts.unit_curves(series, ("recall", "precision"), title, chance=share)
    )


def _calibration(evaluation: RegionEvaluation) -> parts.Chart:
    series = {
        name: calibration_curve(evaluation.labels, probabilities)
        for name, _, probabilities in _variants(evaluation)
    }
    note = (
        "Probabilities are calibrated where dots lie on the dotted line. Each dot stands for a "
        f"tenth of the scale; the numbers below count its {evaluation.card.unit}s."
    )
    axes = ("mean probability", f"share of {evaluation.card.names[1]}")
    return parts.Chart("Calibration", note, charts.calibration(series, axes))


def _histograms(evaluation: RegionEvaluation) -> parts.Chart:
    names, threshold = evaluation.card.names, evaluation.card.threshold
    probabilities, units = evaluation.probabilities, f"{evaluation.card.unit}s"
    values = {name: probabilities[evaluation.labels == i] for i, name in enumerate(names)}
    note = (
        f"Number of {units} of each true class by probability, with ground truth masks; the dashed "
        f"line is the threshold, {threshold:.3g}."
    )
    svg = charts.class_histograms(values, f"probability of {names[1]}", units, threshold)
    return parts.Chart("Probabilities", note, svg)


def _bag_table(evaluation: RegionEvaluation) -> parts.Table:
    """All bags, the most doubtful first."""
    unit, number = evaluation.card.unit, len(evaluation.bags)
    several = any(len(bag.regions) > 1 for bag in evaluation.bags)
    headings = ["True class", "Probability", "Decision"]
    headings += ["Predicted masks", "Decision"] if evaluation.has_predicted else []
    headings += ["Regions", "Deciding region"] if several else []
    note = f"All {unit}s, those nearest to the threshold first; wrong decisions are highlighted."
    if number > _MAX_ROWS:
        note = (
            f"The {_MAX_ROWS} of {counted(number, unit)} that are nearest to the threshold; "
            f"the others are in cases.csv."
        )
    if several:
        note += " The deciding region is the one that weighs most, with its share."
    indices: Sequence[int] = evaluation.by_doubt[:_MAX_ROWS].tolist()
    return parts.Table(
        title="Decisions by confidence",
        first=parts.upper_first(unit),
        columns=tuple(map(parts.Column, headings)),
        rows=tuple(_bag_row(evaluation, index, several) for index in indices),
        note=note,
        tall=True,
    )


def _bag_row(evaluation: RegionEvaluation, index: int, several: bool) -> parts.Row:
    bag, probability = evaluation.bags[index], float(evaluation.probabilities[index])
    cells = [
        parts.TableCell(evaluation.card.names[bag.label]),
        parts.TableCell(f"{probability:.3f}"),
    ]
    cells.append(_decision(evaluation, bag, probability))
    if evaluation.has_predicted:
        predicted = float(evaluation.predicted_probabilities[index])
        cells.append(
            parts.TableCell("no region" if bag.predicted_logit is None else f"{predicted:.3f}")
        )
        cells.append(_decision(evaluation, bag, predicted))
    if several:
        deciding = bag.deciding
        text = "" if deciding is None else f"{deciding[0]} ({deciding[1]:.0%})"
        cells += [parts.TableCell(f"{len(bag.regions)}"), parts.TableCell(text)]
    note = f"case {bag.case}" if bag.case != bag.id else ""
    return parts.Row(title=bag.id, cells=tuple(cells), note=note, gauge=parts.gauge(probability))


def _decision(
    evaluation: RegionEvaluation, bag: BagDecision, probability: float
) -> parts.TableCell:
    label = int(probability >= evaluation.card.threshold)
    return parts.TableCell(
        evaluation.card.names[label], style="" if label == bag.label else "wrong"
    )


def _settings(evaluation: RegionEvaluation) -> dict[str, object]:
    model = evaluation.card
    negative, positive = model.names
    context = "the whole image"
    if model.context is not None:
        context = f"the box and a margin of {model.context:.0%}"
    outside = "marked in a channel" if model.outside == "channel" else model.outside
    return {
        "Answers": f"{positive} (positive) or {negative} (negative)",
        "Decision on": _UNITS[model.unit],
        "Temperature": f"{model.temperature:.3g}, by which logits are divided",
        "Threshold": f"{model.threshold:.3g}",
        "Model input": f"{context} at {model.size} x {model.size} px, pixels outside the mask "
        f"{outside}",
        "Measures": f"{len(model.measures)} of each region" if model.measures else "none",
        **parts.model_settings(evaluation),
    }
