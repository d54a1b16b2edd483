"""Training: model and batches become a run."""

from maskwright.training.fit import Fit, Recipe
from maskwright.training.run import Run
from maskwright.training.schedule import rate_factor
from maskwright.training.train import train

__all__ = ["Fit", "Recipe", "Run", "rate_factor", "train"]
