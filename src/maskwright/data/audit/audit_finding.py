"""Findings of an audit, and how they name files."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing to know of a data set.

    Args:
        code: Short name that stays the same between versions.
        severity: `"error"` where training as it is would be wrong, `"warning"` where the result
            may be worse or look better than it is, `"note"` for what is good to know.
        message: What is the case, with counts and a few examples.
        advice: What to do about it.
        files: All files concerned, relative to the data set where they lie in it.
    """

    code: str
    severity: Severity
    message: str
    advice: str
    files: tuple[str, ...] = ()


def relative(root: Path, paths: Iterable[Path]) -> tuple[str, ...]:
    """Names of files, relative to the data set where they lie in it."""
    return tuple(
        str(path.relative_to(root)) if path.is_relative_to(root) else str(path) for path in paths
    )
