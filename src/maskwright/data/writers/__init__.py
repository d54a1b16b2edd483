"""Formats that data sets are written in: `WRITERS`, of which `convert_dataset` calls one.

A format is a module with a `Writer` and a line in `WRITERS` of `table.py`.
"""

from maskwright.data.writers.table import WRITERS, check_target, convert_dataset

__all__ = ["WRITERS", "check_target", "convert_dataset"]
