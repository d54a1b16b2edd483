"""Write an evaluation of decisions into a folder: scores, cases, a ROC curve and a page to read."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

import numpy as np

from maskwright.evaluation.reports import html_report as page
from maskwright.evaluation.reports.charts import (
    Points,
    alone,
    calibration,
    class_histograms,
    unit_curves,
)
from maskwright.evaluation.reports.formatting import change, number, span
from maskwright.imageio import atomic_write
from maskwright.metrics import (
    DECISION_SCORES,
    Decisions,
    calibration_curve,
    precision_recall_curve,
    roc_curve,
)
from maskwright.tasks.regions.region_scores import DecisionEvaluation
from maskwright.tasks.regions.results import (
    decision_name,
    score_name,
    segmenter_line,
    summary,
    write_cases,
    write_scores,
)

_CARDS = (
    "roc_auc",
    "average_precision",
    "binary_accuracy",
    "sensitivity_at_specificity",
    "brier",
    "expected_calibration_error",
)
_CURVES = {
    "loss": "Loss",
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
    "binary_accuracy": "Accuracy",
}
_MOST_ROWS = 1000  # of the table of all bags; the others are in cases.csv
_TRUE, _PREDICTED = "true masks", "predicted masks"
_NO_ENDS = np.full(2, np.nan)


def write(
    evaluation: DecisionEvaluation, folder: str | Path, run: str | Path | None = None
) -> Path:
    """Write `scores.json`, `cases.csv`, `roc.svg` and `report.html`.

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
    roc = _roc(evaluation)
    with atomic_write(folder / "roc.svg") as beside:
        beside.write_text(alone(roc), encoding="utf-8")
    return page.write_page(
        folder / "report.html",
        overline="Maskwright evaluation of decisions",
        heading=f"{run.name if run else 'Model'} on {evaluation.data.name}, "
        f"{evaluation.split} split",
        summary=f"{summary(evaluation)}.",
        warnings=evaluation.cautions,
        cards=_cards(evaluation),
        body=_overview(evaluation)
        + page.pair(_roc_section(evaluation, roc), _precision_recall(evaluation))
        + page.pair(_calibration(evaluation), _histograms(evaluation))
        + _every(evaluation)
        + _examples(evaluation)
        + page.curves(run, _CURVES),
        skipped=page.skipped(
            [skip.reason for skip in evaluation.skipped], "Nothing here was decided on."
        ),
        settings=_settings(evaluation, run),
        run=run,
        date=evaluation.date,
    )


def _cards(evaluation: DecisionEvaluation) -> str:
    """Scores in large type, each with its interval and that with predicted masks."""
    cards = []
    for name in _CARDS:
        aside = None
        if evaluation.predicted is not None:
            aside = (
                page.capital(_PREDICTED),
                number(getattr(evaluation.predicted, name)),
                span(evaluation.predicted_intervals[name]),
            )
        title = page.capital(score_name(name, evaluation))
        value, ends = getattr(evaluation.true, name), evaluation.intervals[name]
        cards.append(page.card(title, value, ends, aside))
    return "".join(cards)


def _overview(evaluation: DecisionEvaluation) -> str:
    """Scores and confusion, side by side where there is room for both."""
    if evaluation.has_predicted:
        return _scores(evaluation) + page.pair(*_confusion(evaluation))
    return page.pair(_scores(evaluation), *_confusion(evaluation))


def _scores(evaluation: DecisionEvaluation) -> str:
    """All scores; where there are predicted masks, with them and the difference."""
    predicted = evaluation.predicted
    headings = ["Score", "True masks"]
    headings += ["Predicted masks", "Difference"] if predicted is not None else []
    rows = []
    for name in DECISION_SCORES:
        cells = page.score(number(getattr(evaluation.true, name)), span(evaluation.intervals[name]))
        if predicted is not None:
            cells += page.score(
                number(getattr(predicted, name)), span(evaluation.predicted_intervals[name])
            ) + page.score(
                change(evaluation.difference[name]),
                span(evaluation.difference_intervals[name], signed=True),
            )
        rows.append(f"<tr><th>{page.capital(score_name(name, evaluation))}</th>{cells}</tr>")
    several = len(set(evaluation.cases)) > 1 and evaluation.draws > 0
    interval = "with cases drawn anew" if several else "is missing: it needs more cases"
    note = (
        f"In small type, the 95\N{NO-BREAK SPACE}% interval {interval}. Of Brier score and "
        "calibration error, less is better."
    )
    if evaluation.segmentation is not None:
        note += f" {segmenter_line(evaluation.segmentation)}"
    return page.section("Scores", page.scrolled(page.table(headings, rows)), note)


def _confusion(evaluation: DecisionEvaluation) -> list[str]:
    """Sections of the confusion matrices at the threshold."""
    note = (
        f"Decided {evaluation.names[1]} from a probability of {evaluation.threshold:.3g}; each row "
        f"shows what became of the {evaluation.counted()} of a true class."
    )
    return [
        page.section(
            f"Taken for what, with {name}"
            if evaluation.has_predicted
            else "What is taken for what",
            page.scrolled(
                page.matrix(
                    found.confusion, evaluation.names, evaluation.counted(), "decided", told=True
                )
            ),
            note,
        )
        for name, found in _found(evaluation)
    ]


def _roc(evaluation: DecisionEvaluation) -> str:
    """Chart of the ROC curves, with a ring at the threshold."""
    series: dict[str, Points] = {}
    rings = []
    for (name, found), probabilities in zip(
        _found(evaluation), _probabilities(evaluation), strict=True
    ):
        false_alarms, hits, _ = roc_curve(evaluation.labels, probabilities)
        series[f"{name}, AUC {number(found.roc_auc)}"] = list(zip(false_alarms, hits, strict=True))
        told = (
            f"threshold {evaluation.threshold:.3g}: sensitivity {number(found.sensitivity)}, "
            f"specificity {number(found.specificity)}"
        )
        rings.append((1 - found.specificity, found.sensitivity, told))
    return unit_curves(series, ("1 - specificity", "sensitivity"), "ROC curve", rings=rings)


def _roc_section(evaluation: DecisionEvaluation, roc: str) -> str:
    note = (
        f"Share of the {evaluation.names[1]} that is found against share of the "
        f"{evaluation.names[0]} that is a false alarm, at every threshold; the ring is at "
        f"{evaluation.threshold:.3g}, the dotted line is chance."
    )
    return page.section("ROC curve", roc, note)


def _precision_recall(evaluation: DecisionEvaluation) -> str:
    series: dict[str, Points] = {}
    for (name, found), probabilities in zip(
        _found(evaluation), _probabilities(evaluation), strict=True
    ):
        precision, recall, _ = precision_recall_curve(evaluation.labels, probabilities)
        # Between two thresholds there is no precision: steps, not slopes. Those that find nothing
        # more are left out, as they are of the average precision.
        before = np.append(0.0, recall[:-1])
        corners = np.stack([before, precision, recall, precision], axis=-1)
        corners = corners[recall > before].reshape(-1, 2)
        series[f"{name}, AP {number(found.average_precision)}"] = [(x, y) for x, y in corners]
    share = float(evaluation.labels.mean())
    drawn = unit_curves(series, ("recall", "precision"), "Precision and recall", chance=share)
    note = (
        f"Share of what is decided {evaluation.names[1]} that is so, against the share that is "
        f"found; the dotted line is chance, the share of {evaluation.names[1]}: {share:.1%}."
    )
    return page.section("Precision and recall", drawn, note)


def _calibration(evaluation: DecisionEvaluation) -> str:
    series = {
        name: calibration_curve(evaluation.labels, probabilities)
        for (name, _), probabilities in zip(
            _found(evaluation), _probabilities(evaluation), strict=True
        )
    }
    names = ("mean probability", f"share of {evaluation.names[1]}")
    note = (
        "Probabilities are right where dots lie on the dotted line. Each dot stands for a tenth of "
        f"the scale; below, how many {evaluation.counted()} it holds: the fewer, the less it says."
    )
    drawn = calibration(series, names, evaluation.counted())
    return page.section("Calibration", drawn, note)


def _histograms(evaluation: DecisionEvaluation) -> str:
    values = {
        name: evaluation.probabilities[evaluation.labels == label]
        for label, name in enumerate(evaluation.names)
    }
    drawn = class_histograms(
        values,
        f"probability of {evaluation.names[1]}",
        evaluation.counted(),
        evaluation.threshold,
    )
    note = (
        f"How many {evaluation.counted()} of each true class have which probability, with true "
        f"masks; the dashed line is the threshold, {evaluation.threshold:.3g}."
    )
    return page.section("Probabilities", drawn, note)


def _every(evaluation: DecisionEvaluation) -> str:
    """Table of all bags, the most doubtful first."""
    carried = any(len(one.regions) > 1 for one in evaluation.decided)
    headings = [page.capital(evaluation.unit), "True", "", "Probability", "Decision"]
    headings += [page.capital(_PREDICTED), "Decision"] if evaluation.has_predicted else []
    headings += ["Regions", "Deciding region"] if carried else []
    rows = [_row(evaluation, int(place), carried) for place in evaluation.doubt[:_MOST_ROWS]]
    note = (
        f"All {evaluation.counted()}, those nearest to the threshold first; what is decided wrong "
        "stands out."
    )
    if len(evaluation.decided) > _MOST_ROWS:
        note = (
            f"The {_MOST_ROWS} of {evaluation.counted(len(evaluation.decided))} that are nearest "
            "to the threshold; the others are in cases.csv."
        )
    if carried:
        note += " The deciding region is the one that weighs most, with its share."
    shown = page.scrolled(page.table(headings, rows), tall=True)
    return page.section("From doubt to certainty", shown, note)


def _row(evaluation: DecisionEvaluation, place: int, carried: bool) -> str:
    one = evaluation.decided[place]
    case = f'<span class="interval">case {escape(one.case)}</span>' if one.case != one.id else ""
    probability = float(evaluation.probabilities[place])
    cells = (
        f"<th>{escape(one.id)}{case}</th><td>{escape(evaluation.names[one.label])}</td>"
        f'<td class="gauge">{page.gauge(probability, _NO_ENDS)}</td>'
        f"<td>{probability:.3f}</td>{_decision(evaluation, one.label, probability)}"
    )
    if evaluation.has_predicted:
        predicted = float(evaluation.predicted_probabilities[place])
        shown = "no region" if one.predicted_logit is None else f"{predicted:.3f}"
        cells += f"<td>{shown}</td>{_decision(evaluation, one.label, predicted)}"
    if carried:
        deciding = one.deciding
        told = "" if deciding is None else f"{escape(deciding[0])} ({deciding[1]:.0%})"
        cells += f"<td>{len(one.regions)}</td><td>{told}</td>"
    return f"<tr>{cells}</tr>"


def _decision(evaluation: DecisionEvaluation, label: int, probability: float) -> str:
    name = decision_name(evaluation, probability)
    kind = "" if name == evaluation.names[label] else ' class="wrong"'
    return f"<td{kind}>{escape(name)}</td>"


def _examples(evaluation: DecisionEvaluation) -> str:
    figures = page.grouped(
        (one.rank, page.figure(one.title, one.text, one.panels)) for one in evaluation.examples
    )
    if not figures:
        return ""
    note = "What the decision was made on, by the probability that the true answer was given."
    return page.section("Examples", figures, note)


def _settings(evaluation: DecisionEvaluation, run: Path | None) -> dict[str, object]:
    """What a reader needs to measure the same again."""
    negative, positive = evaluation.names
    made_on = {
        "region": "each region by itself",
        "image": "each image, all its regions together",
        "case": "each case, all regions of all its images together",
    }
    entries: dict[str, object] = {
        "Run": run or "not given",
        "Data": evaluation.data,
        "Split": evaluation.split,
        "Answers": f"{positive} (positive) or {negative} (negative)",
        "Decided on": made_on[evaluation.unit],
        "Temperature": f"{evaluation.temperature:.3g}, by which logits are divided",
        "Threshold": f"{evaluation.threshold:.3g}",
    }
    card = evaluation.card
    if card is not None:
        margin = "the whole image" if card.context is None else f"a margin of {card.context:.0%}"
        window = margin if card.context is None else f"the box and {margin}"
        entries["Model sees"] = (
            f"{window} at {card.size} x {card.size} px, what lies outside the mask "
            f"{'marked in a channel' if card.outside == 'channel' else card.outside}"
        )
        entries["Measures"] = f"{len(card.measures)} of each region" if card.measures else "none"
    entries["Intervals"] = (
        f"percentile bootstrap over cases, {evaluation.draws} draws, seed {evaluation.seed}"
    )
    if card is not None:
        entries["Model"] = (
            f"SHA-256 {card.model_sha256[:16]}, trained with Maskwright {card.version}"
        )
    return entries


def _found(evaluation: DecisionEvaluation) -> Iterator[tuple[str, Decisions]]:
    """Scores with true and, where there are, with predicted masks, by name."""
    yield _TRUE, evaluation.true
    if evaluation.predicted is not None:
        yield _PREDICTED, evaluation.predicted


def _probabilities(evaluation: DecisionEvaluation) -> Iterator[np.ndarray]:
    """Probabilities of what `_found` gives."""
    yield evaluation.probabilities
    if evaluation.predicted is not None:
        yield evaluation.predicted_probabilities
