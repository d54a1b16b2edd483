"""From masks to regions: boxes, crops and features."""
