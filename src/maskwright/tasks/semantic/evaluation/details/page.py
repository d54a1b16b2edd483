"""What page and terminal show of `MaskDetails`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from maskwright.evaluation.reports.parts import Chart, Table
from maskwright.tasks.semantic.evaluation.details.calibration_tables import (
    calibration_chart,
    calibration_note,
    calibration_of,
    calibration_table,
)
from maskwright.tasks.semantic.evaluation.details.image_tables import (
    column_scores,
    column_table,
    image_wise_table,
    outline_note,
)
from maskwright.tasks.semantic.evaluation.details.probability_tables import (
    class_curves,
    threshold_charts,
    threshold_table,
    write_thresholds,
)
from maskwright.tasks.semantic.evaluation.details.size_tables import size_table
from maskwright.tasks.semantic.evaluation.scores import SemanticEvaluation


def detail_notes(evaluation: SemanticEvaluation) -> list[str]:
    """Sentences for a terminal on outlines and probabilities."""
    details = evaluation.details
    if details is None:
        return []
    calibration = calibration_of(details, evaluation.cases)
    notes = [outline_note(evaluation, details)]
    return notes if calibration is None else [*notes, calibration_note(calibration)]


def column_tables(evaluation: SemanticEvaluation) -> tuple[Table, ...]:
    """Table of the groups that the options ask for, if they do."""
    groups = column_scores(evaluation)
    return (column_table(groups, str(evaluation.options.by)),) if groups else ()


def detail_parts(
    evaluation: SemanticEvaluation,
) -> tuple[tuple[Table, ...], tuple[Chart, ...], dict[str, Callable[[Path], object]]]:
    """Tables, charts and writers of files of what `MaskDetails` holds."""
    details = evaluation.details
    if details is None:
        return (), (), {}
    tables = [image_wise_table(evaluation, details), *column_tables(evaluation)]
    if len(details.objects.true):
        tables.append(size_table(evaluation, details))
    drawn: list[Chart] = []
    files: dict[str, Callable[[Path], object]] = {}
    if curves := class_curves(evaluation, details):
        tables.append(threshold_table(curves))
        drawn += threshold_charts(curves)
        files["thresholds.csv"] = partial(write_thresholds, curves)
    if calibration := calibration_of(details, evaluation.cases):
        tables.append(calibration_table(calibration, details.not_counted))
        drawn.append(calibration_chart(calibration))
    return tuple(tables), tuple(drawn), files
