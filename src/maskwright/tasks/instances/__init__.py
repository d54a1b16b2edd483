"""Single objects: found in images, told apart where they touch, and how that is learned."""

from maskwright.tasks.instances.predictor import InstancePredictor
from maskwright.tasks.instances.watershed import WatershedParams, split

__all__ = ["InstancePredictor", "WatershedParams", "split"]
