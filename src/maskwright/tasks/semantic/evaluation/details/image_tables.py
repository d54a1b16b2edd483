"""Tables of scores of images: by class with outlines, by size of objects, and by a column."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from maskwright.evaluation.groups import column_groups
from maskwright.evaluation.reports.formatting import number
from maskwright.evaluation.reports.parts import (
    Column,
    Row,
    Table,
    TableCell,
    cell,
    gauge,
)
from maskwright.metrics.confusion import IMAGE_RULE, PREDICTED, TRUTH
from maskwright.tasks.semantic.evaluation.details.measures import MaskDetails
from maskwright.tasks.semantic.evaluation.details.outlines import (
    DISTANCES,
    OUTLINE_RULE,
    OUTLINE_SCORES,
)
from maskwright.tasks.semantic.evaluation.scores import SemanticEvaluation, background_of

_OF_GROUPS = ("foreground_dice", "mean_surface_dice")


def outline_keys(details: MaskDetails) -> list[str]:
    """Keys of `OUTLINE_SCORES` that any image has; without the sizes of pixels, none in mm."""
    return [key for key, values in details.outlines.items() if not np.isnan(values).all()]


def mean_name(evaluation: SemanticEvaluation) -> str:
    """What means over images are called: of images, or of cases that count once each."""
    return "cases" if evaluation.weighs_cases else "images"


def missed_images(evaluation: SemanticEvaluation) -> np.ndarray:
    """Number of images that hold a class of which nothing is predicted, `(classes,)`."""
    tallies = evaluation.tallies
    missed: np.ndarray = ((tallies[:, TRUTH] > 0) & (tallies[:, PREDICTED] == 0)).sum(axis=0)
    return missed


def image_wise_table(evaluation: SemanticEvaluation, details: MaskDetails) -> Table:
    """Means over images of each class: Dice and the scores of outlines."""
    shown = [score for score in OUTLINE_SCORES if not score.key.endswith(_other_unit(details))]
    keys = ["dice", *(score.key for score in shown)]
    values, ends = evaluation.image_wise, evaluation.image_wise_intervals
    held, missed = ~np.isnan(evaluation.images.dice), missed_images(evaluation)
    rows = [
        Row(
            title=name,
            color=color,
            cells=(
                *(_cell(key, values[key][label], ends[key][:, label]) for key in keys),
                TableCell(f"{held[:, label].sum()}"),
                TableCell(f"{missed[label]}"),
            ),
            gauge=gauge(values["dice"][label], ends["dice"][:, label]),
        )
        for label, (name, color) in enumerate(
            zip(evaluation.labels.names, evaluation.labels.colors, strict=True)
        )
    ]
    means = ["foreground_dice", *(f"mean_{score.key}" for score in shown)]
    rows.append(
        Row(
            title=_mean_title(evaluation),
            cells=(
                *(_cell(key, values[key], ends[key]) for key in means),
                TableCell(),
                TableCell(),
            ),
            gauge=gauge(values["foreground_dice"], ends["foreground_dice"]),
            total=True,
        )
    )
    titles = {"surface_dice": f"Surface Dice at {details.tolerance}"}
    return Table(
        title=f"Means over {mean_name(evaluation)}",
        first="Class",
        columns=(
            Column("Dice", interval=True),
            *(Column(titles.get(score.key, score.title)) for score in shown),
            Column("Images"),
            Column("Missed"),
        ),
        rows=tuple(rows),
        note=f"Each image has a score of its own, {_weighing(evaluation)}. {IMAGE_RULE} "
        f"{OUTLINE_RULE} The background has no outline of its own.",
    )


def _other_unit(details: MaskDetails) -> str:
    """Unit of the distances that are not shown: mm are, where every image has them, else px."""
    known = ~np.isnan(details.outlines["hd95_px"]) <= ~np.isnan(details.outlines["hd95_mm"])
    return "px" if known.all() else "mm"


def _mean_title(evaluation: SemanticEvaluation) -> str:
    return "Mean" if background_of(evaluation.card) is None else "Foreground"


def _weighing(evaluation: SemanticEvaluation) -> str:
    if evaluation.num_cases == len(evaluation.samples):
        return "and counts once"
    if evaluation.weighs_cases:
        return "and each case counts once, with the mean of its images"
    return "and counts once, whatever its case"


def _cell(key: str, value: np.ndarray, ends: np.ndarray) -> TableCell:
    """Cell of a score; distances have one digit."""
    if key.removeprefix("mean_") not in DISTANCES:
        return cell(value, ends)
    interval = "" if np.isnan(ends).any() else "{:.1f} to {:.1f}".format(*ends)
    return TableCell("-" if np.isnan(value) else f"{value:.1f}", interval)


def outline_note(evaluation: SemanticEvaluation, details: MaskDetails) -> str:
    """One sentence on outlines for a terminal."""
    means, unit = evaluation.image_wise, "px" if _other_unit(details) == "mm" else "mm"
    if np.isnan(means["mean_surface_dice"]):
        return "Outlines: no scores, because no image holds a class of the foreground."
    return (
        f"Outlines, mean over {mean_name(evaluation)}: surface Dice "
        f"{number(means['mean_surface_dice'])} at {details.tolerance}, boundary IoU "
        f"{number(means['mean_boundary_iou'])}, HD95 {means[f'mean_hd95_{unit}']:.1f} {unit}, ASSD "
        f"{means[f'mean_assd_{unit}']:.1f} {unit}."
    )


def column_scores(evaluation: SemanticEvaluation) -> dict[str, SemanticEvaluation]:
    """Scores of the groups of images that the options ask for, by name; empty for none."""
    details, column = evaluation.details, evaluation.options.by
    if details is None or column is None:
        return {}
    return {
        name: replace(
            evaluation,
            samples=tuple(evaluation.samples[place] for place in places),
            tallies=evaluation.tallies[places],
            details=replace(details, outlines={k: v[places] for k, v in details.outlines.items()}),
        )
        for name, places in column_groups(evaluation.samples, column).items()
    }


def column_table(groups: Mapping[str, SemanticEvaluation], column: str) -> Table:
    """Dice and surface Dice of the foreground of the images of each group."""
    rows = []
    for name, group in groups.items():
        values, ends = group.image_wise, group.image_wise_intervals
        rows.append(
            Row(
                title=name,
                cells=(
                    *(cell(values[key], ends[key]) for key in _OF_GROUPS),
                    TableCell(f"{len(group.samples)}"),
                    TableCell(f"{group.num_cases}"),
                ),
                gauge=gauge(values["foreground_dice"], ends["foreground_dice"]),
            )
        )
    return Table(
        title=f"By {column}",
        first=column,
        columns=(
            Column("Dice", interval=True),
            *map(Column, ("Surface Dice", "Images", "Cases")),
        ),
        rows=tuple(rows),
        note="Means over images of each group, as above. Groups were not divided at random: what "
        "differs between them may differ for another reason.",
    )
