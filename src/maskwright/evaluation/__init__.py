"""Evaluation: a predictor and samples → numbers, and a page to read them on."""

from maskwright.evaluation.compare import Comparison, compare
from maskwright.evaluation.compare_report import table as comparison_table
from maskwright.evaluation.compare_report import to_dict as comparison_to_dict
from maskwright.evaluation.compare_report import write as write_comparison
from maskwright.evaluation.decision_report import write as write_decisions
from maskwright.evaluation.decision_results import table as decision_table
from maskwright.evaluation.decision_results import to_dict as decisions_to_dict
from maskwright.evaluation.decisions import Decided, DecisionEvaluation, DecisionExample
from maskwright.evaluation.evaluate import Evaluation, Example, Skipped, evaluate
from maskwright.evaluation.object_report import table as object_table
from maskwright.evaluation.object_report import to_dict as objects_to_dict
from maskwright.evaluation.object_report import write as write_objects
from maskwright.evaluation.objects import ObjectEvaluation, evaluate_objects
from maskwright.evaluation.report import write
from maskwright.evaluation.results import table, to_dict

__all__ = [
    "Comparison",
    "Decided",
    "DecisionEvaluation",
    "DecisionExample",
    "Evaluation",
    "Example",
    "ObjectEvaluation",
    "Skipped",
    "compare",
    "comparison_table",
    "comparison_to_dict",
    "decision_table",
    "decisions_to_dict",
    "evaluate",
    "evaluate_objects",
    "object_table",
    "objects_to_dict",
    "table",
    "to_dict",
    "write",
    "write_comparison",
    "write_decisions",
    "write_objects",
]
