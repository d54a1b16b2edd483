"""From masks to regions: each masked thing with its box, its crop and its measures."""

from maskwright.tasks.regions.extraction.crops import align, cut, treat, window
from maskwright.tasks.regions.extraction.extract import Region, extract
from maskwright.tasks.regions.extraction.features import Box, measure, vector
from maskwright.tasks.regions.extraction.table import write_table
from maskwright.types import Outside, RegionKind

__all__ = [
    "Box",
    "RegionKind",
    "Outside",
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
