"""What is shown and written of an evaluation of masks of classes."""

from functools import partial

from maskwright.data.samples import counted
from maskwright.evaluation.reports.formatting import number, span
from maskwright.evaluation.reports.kept_promises import kept_notes, kept_table
from maskwright.evaluation.reports.parts import (
    NO_INTERVAL,
    Column,
    Report,
    Row,
    Table,
    TableCell,
    cell,
    gauge,
    interval_note,
    upper_first,
)
from maskwright.metrics.confusion import EMPTY_RULE, IMAGE_RULE, TRUTH
from maskwright.tasks.semantic.evaluation.details.image_tables import mean_name
from maskwright.tasks.semantic.evaluation.details.page import column_tables, detail_notes
from maskwright.tasks.semantic.evaluation.page import evaluation_page
from maskwright.tasks.semantic.evaluation.score_files import image_rows, scores_of
from maskwright.tasks.semantic.evaluation.scores import PER_CLASS, SemanticEvaluation, background_of

_BLANK = (TableCell(), TableCell())


def semantic_report(evaluation: SemanticEvaluation) -> Report:
    """Report of an evaluation of masks."""
    notes = [*_false_alarms(evaluation), EMPTY_RULE]
    if not evaluation.card.overlapping:
        accuracy = f"Pixel accuracy {number(evaluation.total.pixel_accuracy)}"
        if ends := span(evaluation.intervals.pixel_accuracy):
            accuracy += f", 95 % {ends}"
        notes.insert(0, f"{accuracy}.")
    trust = evaluation.trust
    promised = [] if trust is None else kept_notes(trust)
    return Report(
        evaluation=evaluation,
        summary=_summary(evaluation),
        table=_table(evaluation),
        scores=scores_of(evaluation),
        cases=image_rows(evaluation),
        page=partial(evaluation_page, evaluation),
        notes=(*notes, *detail_notes(evaluation), *promised),
        further_tables=(*column_tables(evaluation), *([kept_table(trust)] if trust else [])),
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


def _false_alarms(evaluation: SemanticEvaluation) -> list[str]:
    """Sentence on images without foreground, where there are any."""
    empty = evaluation.empty
    if not empty.images:
        return []
    ends = f", 95 % {span(empty.rate_ends)}" if span(empty.rate_ends) else ""
    return [
        f"Without foreground: {counted(empty.images, 'image')}, something predicted in "
        f"{number(empty.rate)} of them{ends}; {empty.area_px:,.0f} px on average."
    ]


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
        bar = gauge(total["dice"][label], intervals["dice"][:, label])
        rows.append(Row(title=name, cells=tuple(cells), gauge=bar, color=color))
    over_images = evaluation.image_wise, evaluation.image_wise_intervals
    summaries = [
        ("mean (all)", "mean", total, intervals),
        (f"mean ({mean_name(evaluation)})", "foreground", *over_images),
    ]
    if background_of(evaluation.card) is not None:
        summaries.insert(0, ("foreground", "foreground", total, intervals))
    for title, kind, scores, ends in summaries:
        means = [cell(scores[f"{kind}_{s.key}"], ends[f"{kind}_{s.key}"]) for s in PER_CLASS[:2]]
        rows.append(
            Row(
                title=upper_first(title),
                short=title,
                cells=(*means, TableCell(), TableCell(), *_BLANK),
                gauge=gauge(scores[f"{kind}_dice"], ends[f"{kind}_dice"]),
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
        note=f"All pixels of the split taken together. {interval_note(evaluation)} {EMPTY_RULE} "
        f"{IMAGE_RULE}",
    )
