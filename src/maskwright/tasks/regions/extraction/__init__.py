"""From images and masks to regions: boxes, crops and measures.

A measure is one entry of a table in `features.py`; which regions are extracted, and how they are
cropped, is one value, `CropSpec`. `maskwright.tasks.regions` lists the public names.
"""
