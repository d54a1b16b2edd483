"""Masked regions for code of one's own: extracted from image and mask, cropped and measured."""

from maskwright.tasks.regions import (
    MEASURES,
    Box,
    CropSpec,
    Measure,
    Outside,
    Region,
    RegionKind,
    align,
    cut,
    extract,
    measure,
    treat,
    vector,
    window,
    write_table,
)

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
