"""Instance segmentation: every object with its mask, class and score.

Public are the predictor and the watershed that separates touching objects; the task itself is used
by the verbs of `maskwright`.
"""

from maskwright.tasks.instances.predictor import InstancePredictor
from maskwright.tasks.instances.watershed import WatershedParams, watershed_instances

__all__ = ["InstancePredictor", "WatershedParams", "watershed_instances"]
