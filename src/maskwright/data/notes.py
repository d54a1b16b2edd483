"""Notes on what was inferred of a data set, files that are skipped, and how both are worded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_EXAMPLES = 5


@dataclass(frozen=True)
class Note:
    """What was inferred of a data set, and why; its code stays the same between versions."""

    code: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class SkippedFile:
    """A file that is in no sample.

    Args:
        reason: A sentence that names the file where `broken`, else a phrase.
        broken: Whether the file has a partner but cannot be used.
    """

    path: Path
    reason: str
    broken: bool = False

    @property
    def message(self) -> str:
        """The file and the reason."""
        return self.reason if self.broken else f"{self.path}: {self.reason}"


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """`1 image`, `1,234 images`; `plural` where it has not just an s."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def first_few(names: Sequence[str], most: int) -> str:
    """The first names, and `…` for more."""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def examples(names: Iterable[str]) -> str:
    """The first few names, and how many there are beyond."""
    names = list(names)
    more = f" and {len(names) - _EXAMPLES:,} more" if len(names) > _EXAMPLES else ""
    return ", ".join(names[:_EXAMPLES]) + more
