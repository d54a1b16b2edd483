"""From masks to regions: each masked thing with its box, its crop and its measures."""

from maskwright.kinds import Kind, Outside
from maskwright.regions.extract import Region, extract
from maskwright.regions.measures import Box, measure, vector
from maskwright.regions.table import write_table
from maskwright.regions.windows import align, cut, treat, window

__all__ = [
    "Box",
    "Kind",
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
