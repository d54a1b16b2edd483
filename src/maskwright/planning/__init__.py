"""A data set measured, and from that a readable plan with the reason for every choice."""

from maskwright.planning.alternatives import alternatives
from maskwright.planning.draft import Choice
from maskwright.planning.fingerprint import fingerprint
from maskwright.planning.layout import Asymmetry
from maskwright.planning.machine import Machine, Timing, this_machine
from maskwright.planning.plan import Plan, at_pace, next_pace, plan
from maskwright.planning.prints import ClassPrint, Fingerprint, Spread

__all__ = [
    "Asymmetry",
    "Choice",
    "ClassPrint",
    "Fingerprint",
    "Machine",
    "Plan",
    "Spread",
    "Timing",
    "alternatives",
    "at_pace",
    "fingerprint",
    "next_pace",
    "plan",
    "this_machine",
]
