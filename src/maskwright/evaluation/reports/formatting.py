"""Scores as they are printed and as other programs read them."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.imageio import write_text


def number(value: float | np.ndarray, signed: bool = False) -> str:
    """Score or `signed` difference with three digits, a dash where it is not defined."""
    return "-" if math.isnan(value) else f"{float(value):{'+' if signed else ''}.3f}"


def span(ends: np.ndarray, signed: bool = False) -> str:
    """Interval with three digits, empty where there is none."""
    if np.isnan(ends).any():
        return ""
    low, high = (number(end, signed) for end in ends)
    return f"{low} to {high}"


def plain(values: np.ndarray | float) -> Any:
    """Python numbers for JSON; one `None` for a score or an interval that is not finite."""
    if not np.isfinite(values).all():
        return None
    return np.asarray(values).tolist()


def csv_cell(value: float) -> str:
    """Score for CSV, empty where it is not defined."""
    return "" if math.isnan(value) else f"{value:.6f}"


def write_json(values: Mapping[str, Any], path: Path) -> None:
    """Write plain values as JSON."""
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")
