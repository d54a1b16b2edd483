"""Who trains and who is scored: splits and folds that never part a case or copies of an image.

Sizes and order of splits are in `assignment.py`, the balance of classes in `stratification.py`; a
change of either gives every data set without stated splits new ones.
"""

from maskwright.data.splits.assignment import HELD_OUT, assign_splits, folds, make_fold
from maskwright.data.splits.unite_duplicates import unite_duplicates

__all__ = ["HELD_OUT", "assign_splits", "folds", "make_fold", "unite_duplicates"]
