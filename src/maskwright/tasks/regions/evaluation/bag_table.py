"""Table of single decisions in the report, the most doubtful first."""

from maskwright.evaluation.reports.build import counted, gauge, upper_first
from maskwright.evaluation.reports.parts import Column, Row, Table, TableCell
from maskwright.tasks.regions.evaluation.scores import BagDecision, RegionEvaluation

_MAX_ROWS = 1000  # the others are in cases.csv


def bag_table(evaluation: RegionEvaluation) -> Table:
    """All bags, the most doubtful first."""
    several = any(len(bag.regions) > 1 for bag in evaluation.bags)
    headings = ["True class", "Probability", "Decision"]
    headings += ["Predicted masks", "Decision"] if evaluation.has_predicted else []
    headings += ["Regions", "Deciding region"] if several else []
    note = (
        f"All {evaluation.card.unit}s, those nearest to the threshold first; wrong decisions are "
        f"highlighted."
    )
    if len(evaluation.bags) > _MAX_ROWS:
        note = (
            f"The {_MAX_ROWS} of {counted(len(evaluation.bags), evaluation.card.unit)} that are "
            f"nearest to the threshold; the others are in cases.csv."
        )
    if several:
        note += " The deciding region is the one that weighs most, with its share."
    indices = evaluation.by_doubt[:_MAX_ROWS].tolist()
    return Table(
        title="Decisions by confidence",
        first=upper_first(evaluation.card.unit),
        columns=tuple(map(Column, headings)),
        rows=tuple(_bag(evaluation, index, several) for index in indices),
        note=note,
        tall=True,
    )


def _bag(evaluation: RegionEvaluation, index: int, several: bool) -> Row:
    bag = evaluation.bags[index]
    probability = float(evaluation.probabilities[index])
    cells = [
        TableCell(evaluation.card.names[bag.label]),
        TableCell(f"{probability:.3f}"),
        _decision(evaluation, bag, probability),
    ]
    if evaluation.has_predicted:
        predicted = float(evaluation.predicted_probabilities[index])
        cells.append(TableCell("no region" if bag.predicted_logit is None else f"{predicted:.3f}"))
        cells.append(_decision(evaluation, bag, predicted))
    if several:
        deciding = bag.deciding
        text = "" if deciding is None else f"{deciding[0]} ({deciding[1]:.0%})"
        cells += [TableCell(f"{len(bag.regions)}"), TableCell(text)]
    return Row(
        title=bag.id,
        cells=tuple(cells),
        note=f"case {bag.case}" if bag.case != bag.id else "",
        gauge=gauge(probability),
    )


def _decision(evaluation: RegionEvaluation, bag: BagDecision, probability: float) -> TableCell:
    label = int(probability >= evaluation.card.threshold)
    return TableCell(evaluation.card.names[label], style="" if label == bag.label else "wrong")
