"""Tables as CSV, which spreadsheets open without running anything."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from maskwright.imageio.files import write_text

_MOST_DIGITS = 18  # Python converts up to 4,300, and no array counts further
_FORMULA = re.compile(r"'*[=@+\-\t\r]")


def write_table(path: str | Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file atomically, as `table_text` gives it."""
    write_text(path, table_text(header, rows))


def table_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Table as CSV; text that a spreadsheet would run as a formula begins with an apostrophe.

    `plain_cell` removes it again.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_safe_cell(cell) for cell in row] for row in (header, *rows))
    return text.getvalue()


def plain_cell(text: str) -> str:
    """A cell of a table as it was before `table_text` wrote it."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def whole_number(text: str) -> int | None:
    """Number from the digits of a cell, `None` where it is no whole number below 10**18."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None


def _safe_cell(cell: object) -> object:
    if not isinstance(cell, str) or not _FORMULA.match(cell):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell  # a negative number
