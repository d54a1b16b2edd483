"""Evaluation: predictions and ground truth become scores and a report, by one loop for all tasks.

What a task counts and shows stands in `tasks/*/evaluation`; here it is read, looped and written.
"""

from maskwright.evaluation.loop import Scorer, evaluate
from maskwright.evaluation.result import Caution, EvaluateOptions, Evaluation, Example, Skipped

__all__ = [
    "Caution",
    "EvaluateOptions",
    "Evaluation",
    "Example",
    "Scorer",
    "Skipped",
    "evaluate",
]
