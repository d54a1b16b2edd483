"""Masked regions: extracted, measured, and decided on by region, image or case.

Public are `CropSpec`, `extract` and what works on its regions; the task itself is used by the verbs
of `maskwright`.
"""

from maskwright.tasks.regions.extraction.crops import CropSpec, align, cut, treat, window
from maskwright.tasks.regions.extraction.extract import Region, extract
from maskwright.tasks.regions.extraction.feature_vector import vector
from maskwright.tasks.regions.extraction.features import MEASURES, Measure, measure
from maskwright.tasks.regions.extraction.shapes import Box
from maskwright.tasks.regions.extraction.table import write_table
from maskwright.types import Outside, RegionKind

__all__ = [
    "MEASURES",
    "Box",
    "CropSpec",
    "Measure",
    "Outside",
    "Region",
    "RegionKind",
    "align",
    "cut",
    "extract",
    "measure",
    "treat",
    "vector",
    "window",
    "write_table",
]
