"""Evaluation: a predictor and samples → numbers, and a page to read them on."""

from maskwright.evaluation.decision_report import write as write_decisions
from maskwright.evaluation.decision_results import table as decision_table
from maskwright.evaluation.decision_results import to_dict as decisions_to_dict
from maskwright.evaluation.decisions import Decided, DecisionEvaluation, DecisionExample
from maskwright.evaluation.evaluate import Evaluation, Example, Skipped, evaluate
from maskwright.evaluation.report import write
from maskwright.evaluation.results import table, to_dict

__all__ = [
    "Decided",
    "DecisionEvaluation",
    "DecisionExample",
    "Evaluation",
    "Example",
    "Skipped",
    "decision_table",
    "decisions_to_dict",
    "evaluate",
    "table",
    "to_dict",
    "write",
    "write_decisions",
]
