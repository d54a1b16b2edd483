"""Training: model and batches become a run."""

from maskwright.training.loop import TrainingLoop
from maskwright.training.lr_finder import LearningRateCurve, find_learning_rate
from maskwright.training.objective import Scoring, Task, segmentation
from maskwright.training.recipe import Recipe
from maskwright.training.run import Run
from maskwright.training.schedule import rate_factor
from maskwright.training.train import Prepared, prepare, train

__all__ = [
    "TrainingLoop",
    "Prepared",
    "LearningRateCurve",
    "Recipe",
    "Run",
    "Scoring",
    "Task",
    "find_learning_rate",
    "prepare",
    "rate_factor",
    "segmentation",
    "train",
]
