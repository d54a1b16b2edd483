"""What is shown and written of an audit of labels."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from maskwright.data.audit.audit_scan import relative_name
from maskwright.data.samples import counted
from maskwright.evaluation.reports.parts import (
    Column,
    Page,
    Report,
    Row,
    Table,
    TableCell,
)
from maskwright.tasks.semantic.labeling.audit import AuditedMask, LabelAudit

_SHOWN = 10  # masks in the table; the file holds all
LIMITS = (
    "A low score is a reason to look, not a verdict: the mask is wrong, or the image is difficult. "
    "A model that has learned faulty masks repeats their faults: what is wrong in the same way in "
    "many masks is not found."
)
"""What an audit cannot know."""
_HEADINGS = (
    *("rank", "image", "file", "split", "score", "model"),
    *("given", "predicted", "area_px", "top", "left", "bottom", "right"),
)


def audit_report(audit: LabelAudit) -> Report:
    """Report of an audit: the first ten in a table, the worst drawn, all in a file."""
    return Report(
        evaluation=audit,
        summary=f"{counted(len(audit.masks), 'mask')}, each scored by a model that has not learned "
        f"from it",
        table=_table(audit),
        scores={
            "note": LIMITS,
            "source": _absolute(audit.source),
            "classes": list(audit.labels.names),
            "overlapping": audit.card.overlapping,
            "masks": [_values(audit, mask) for mask in audit.masks],
        },
        cases=(_HEADINGS, _rows(audit)),
        page=lambda: _page(audit),
        notes=(LIMITS,),
        scores_file="audit.json",
        cases_file="audit.csv",
    )


def _absolute(source: str) -> str:
    """The path of a data set as it can be opened from any folder; other names as they are."""
    return str(Path(source).absolute()) if Path(source).exists() else source


def _table(audit: LabelAudit) -> Table:
    rows = []
    for rank, mask in enumerate(audit.masks[:_SHOWN], start=1):
        piece = mask.piece
        cells = [TableCell(f"{mask.score:.3f}"), *[TableCell("-")] * 4]
        if piece is not None:
            top, left, bottom, right = piece.box
            cells[1:] = [
                TableCell(audit.label_name(piece.given)),
                TableCell(audit.label_name(piece.predicted)),
                TableCell(f"{piece.area_px:,}"),
                TableCell(f"x {left} to {right}, y {top} to {bottom}"),
            ]
        rows.append(Row(title=f"{rank}. {mask.sample.id}", cells=tuple(cells)))
    return Table(
        title="Masks to look at first",
        first="Image",
        columns=(
            Column("Score", "score"),
            Column("In the mask", "mask says"),
            Column("By the model", "model says"),
            Column("Area, px", "px"),
            Column("Where", page_only=True),
        ),
        rows=tuple(rows),
        note="Score: how well mask and model agree, from 0 to 1. Beside it, the piece of the mask "
        "that the model contradicts most.",
    )


def _values(audit: LabelAudit, mask: AuditedMask) -> dict[str, Any]:
    """Of a mask, for JSON."""
    piece = mask.piece
    return {
        "image": mask.sample.id,
        "file": relative_name(audit.data, mask.sample.image),
        "split": mask.sample.split,
        "score": round(mask.score, 6),
        "model": mask.model,
        "piece": None
        if piece is None
        else {
            **asdict(piece),
            "given": audit.label_name(piece.given),
            "predicted": audit.label_name(piece.predicted),
            "surplus": round(piece.surplus, 3),
        },
    }


def _rows(audit: LabelAudit) -> list[list[Any]]:
    rows = []
    for rank, mask in enumerate(audit.masks, start=1):
        values = _values(audit, mask)
        piece = values.pop("piece")
        place = [""] * 7
        if piece is not None:
            place = [piece["given"], piece["predicted"], piece["area_px"], *piece["box"]]
        rows.append([rank, *values.values(), *place])
    return rows


def _page(audit: LabelAudit) -> Page:
    drawn = len(audit.examples)
    return Page(
        settings={
            "Score": "how well mask and model agree: mean of the soft minimum, over the pixels, of "
            "the probability of the label in the mask, and of the difference between mask and "
            "model held against the one that the model expects",
            "Models": ", ".join(sorted({mask.model for mask in audit.masks})),
            "All masks": "audit.csv, in the order in which to look at them",
        },
        heading=f"Labels of {audit.data.name} to look at again",
        overline="Maskwright label audit",
        lead=LIMITS,
        examples_note=f"The first {drawn}, with the piece that the model contradicts most in a "
        f"frame. Look from the top until about ten in a row are right.",
        legends=(tuple(zip(audit.labels.colors, audit.labels.names, strict=True)),),
    )
