"""Masked regions: extracted, measured, and decided on by region, image or case.

Public are `CropSpec`, `extract` and what works on its regions; the task itself is used by the verbs
of `maskwright`.
"""

from maskwright.tasks.regions.extraction import (
    MEASURES,
    Box,
    CropSpec,
    Measure,
    Region,
    align,
    cut,
    extract,
    measure,
    treat,
    vector,
    window,
    write_table,
)
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
