"""Class maps: which value or color of a mask stands for which class."""

from dataclasses import dataclass

from maskwright.labels import Color

IGNORED_NAMES = frozenset(
    {"void", "ignore", "ignored", "unlabeled", "unlabelled", "undefined", "don't care", "dontcare"}
)
"""Class names, in lower case, whose pixels are neither trained on nor scored."""


@dataclass(frozen=True)
class ClassEntry:
    """One class of a class map; `value` and `color` are `None` where the class map does not say."""

    name: str
    value: int | None = None
    color: Color | None = None

    @property
    def ignored(self) -> bool:
        """Whether pixels of this class do not count."""
        return self.name.lower() in IGNORED_NAMES


@dataclass(frozen=True)
class ClassMap:
    """Classes in order.

    Args:
        entries: One for each class.
        source: Where they were read (`"class_dict.csv"`) or known from.
        min_values: Values that must occur in masks before a class map that is assumed is taken.
    """

    entries: tuple[ClassEntry, ...]
    source: str
    min_values: int = 0

    @classmethod
    def of_values(
        cls, source: str, names: str, first: int = 0, void: int | None = None, min_values: int = 0
    ) -> "ClassMap":
        """Class map of consecutive values; `names` separated by commas."""
        entries = [ClassEntry(name, value) for value, name in enumerate(names.split(","), first)]
        if void is not None:
            entries.append(ClassEntry("void", void))
        return cls(tuple(entries), source, min_values)
