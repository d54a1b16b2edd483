"""From images and masks to regions: boxes, crops and measures.

A measure is one entry of a table in `features.py`; which regions are extracted, and how they are
cropped, is one value, `CropSpec`.
"""

from maskwright.tasks.regions.extraction.crop_spec import CropSpec
from maskwright.tasks.regions.extraction.crops import align, cut, treat, window
from maskwright.tasks.regions.extraction.extract import Region, extract
from maskwright.tasks.regions.extraction.feature_vector import vector
from maskwright.tasks.regions.extraction.features import MEASURES, Measure, measure
from maskwright.tasks.regions.extraction.shapes import Box
from maskwright.tasks.regions.extraction.table import write_table

__all__ = [
    "MEASURES",
    "Box",
    "CropSpec",
    "Measure",
    "Region",
    "align",
    "cut",
    "extract",
    "measure",
    "treat",
    "vector",
    "window",
    "write_table",
]
