"""Training: model and batches become a run."""

from maskwright.training.fit import Fit
from maskwright.training.recipe import Recipe
from maskwright.training.run import Run
from maskwright.training.schedule import rate_factor
from maskwright.training.task import Scoring, Task, segmentation
from maskwright.training.train import train

__all__ = [
    "Fit",
    "Recipe",
    "Run",
    "Scoring",
    "Task",
    "rate_factor",
    "segmentation",
    "train",
]
