"""Who trains and who is scored: splits and folds that never part a case or copies of an image.

A change of `assignment.py` gives every data set without stated splits new ones.
"""

from maskwright.data.splits.assignment import HELD_OUT, assign_splits, folds, make_fold
from maskwright.data.splits.duplicates import unite_duplicates

__all__ = ["HELD_OUT", "assign_splits", "folds", "make_fold", "unite_duplicates"]
