"""Evaluation: a predictor and samples → numbers, and a page to read them on."""

from maskwright.evaluation.evaluate import Evaluation, Example, Skipped, evaluate
from maskwright.evaluation.report import write
from maskwright.evaluation.results import table, to_dict

__all__ = ["Evaluation", "Example", "Skipped", "evaluate", "table", "to_dict", "write"]
