"""Joint augmentation of images and masks for `fit`, new in each epoch."""

from maskwright.data.pipeline import STRENGTHS, Augmentation, augment
from maskwright.data.pipeline.joint_augmentation import JointAugmentation, augment_dataset

__all__ = ["STRENGTHS", "Augmentation", "JointAugmentation", "augment", "augment_dataset"]
