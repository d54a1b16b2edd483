"""Training: model and batches become a run.

The loop knows no task: a task gives it a `TrainingSetup`.
"""

from maskwright.training.loop import TrainingLoop
from maskwright.training.lr_finder import LearningRateCurve, find_learning_rate
from maskwright.training.run import Run
from maskwright.training.run_training import run_training
from maskwright.training.schedule import rate_factor
from maskwright.training.setup import (
    Batching,
    LearningTask,
    Objective,
    Recipe,
    Scoring,
    TrainingSetup,
    TrainOptions,
    from_logits,
)

__all__ = [
    "Batching",
    "LearningTask",
    "LearningRateCurve",
    "Objective",
    "Recipe",
    "Run",
    "Scoring",
    "TrainOptions",
    "TrainingLoop",
    "TrainingSetup",
    "find_learning_rate",
    "from_logits",
    "rate_factor",
    "run_training",
]
