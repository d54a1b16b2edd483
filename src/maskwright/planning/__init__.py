"""A data set measured, and from that a readable plan with the reason for every choice."""

from maskwright.planning.candidates import candidates
from maskwright.planning.dataset_stats import ClassStats, DatasetStats, Summary
from maskwright.planning.fingerprint import fingerprint
from maskwright.planning.hardware import Machine, Timing, this_machine
from maskwright.planning.plan import Plan, at_size_level, next_size_level, plan
from maskwright.planning.plan_builder import PlannedSetting
from maskwright.planning.symmetry import Asymmetry

__all__ = [
    "Asymmetry",
    "PlannedSetting",
    "ClassStats",
    "DatasetStats",
    "Machine",
    "Plan",
    "Summary",
    "Timing",
    "candidates",
    "at_size_level",
    "fingerprint",
    "next_size_level",
    "plan",
    "this_machine",
]
