"""Planning: a data set is measured, and training settings are derived with a reason for each.

A new rule is a function of a `PlanBuilder` in `rules/`, listed in `plan.RULES`.
"""

from maskwright.planning.candidates import candidates
from maskwright.planning.hardware import Machine, Timing, this_machine
from maskwright.planning.plan import Plan, plan
from maskwright.planning.plan_builder import (
    EncoderWeights,
    PlanBuilder,
    PlannedSetting,
    SizeLevel,
    at_size_level,
    next_size_level,
)
from maskwright.planning.rules.regions import plan_regions
from maskwright.planning.stats.dataset_stats import ClassStats, DatasetStats, Summary
from maskwright.planning.stats.measure_dataset import measure_dataset
from maskwright.planning.stats.symmetry import Asymmetry

__all__ = [
    "Asymmetry",
    "ClassStats",
    "DatasetStats",
    "EncoderWeights",
    "Machine",
    "Plan",
    "PlanBuilder",
    "PlannedSetting",
    "SizeLevel",
    "Summary",
    "Timing",
    "at_size_level",
    "candidates",
    "measure_dataset",
    "next_size_level",
    "plan",
    "plan_regions",
    "this_machine",
]
