"""Evaluation: a predictor and samples → numbers, and a page to read them on."""

from maskwright.evaluation.compare import Comparison, compare
from maskwright.evaluation.evaluate import Evaluation, Example, Skipped, evaluate
from maskwright.evaluation.reports.compare_report import table as comparison_table
from maskwright.evaluation.reports.compare_report import to_dict as comparison_to_dict
from maskwright.evaluation.reports.compare_report import write as write_comparison
from maskwright.evaluation.reports.report import write
from maskwright.evaluation.results import table, to_dict

__all__ = [
    "Comparison",
    "Evaluation",
    "Example",
    "Skipped",
    "compare",
    "comparison_table",
    "comparison_to_dict",
    "evaluate",
    "table",
    "to_dict",
    "write",
    "write_comparison",
]
