"""Class maps: which value or color of a mask stands for which class; those of public data sets."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from maskwright.labels import BACKGROUND_NAMES, Color, parse_color

_IGNORED_NAMES = frozenset(
    {"void", "ignore", "ignored", "unlabeled", "unlabelled", "undefined", "don't care", "dontcare"}
    | {"__ignore__", "_ignore_"}
)


@dataclass(frozen=True)
class ClassEntry:
    """One class of a class map; `value` and `color` are `None` where the class map does not say."""

    name: str
    value: int | None = None
    color: Color | None = None

    @property
    def ignored(self) -> bool:
        """Whether pixels of this class are neither trained on nor scored."""
        return self.name.lower() in _IGNORED_NAMES


@dataclass(frozen=True)
class ClassMap:
    """Classes of a data set.

    Args:
        source: Where they come from: a file, or the name of a public data set.
        min_values: How many of their values or colors must occur before they are assumed.
        stated: Whether data.yaml states them, in the order of labels.
        rival: Another file beside the data that has other classes, or `""`.
    """

    entries: tuple[ClassEntry, ...]
    source: str
    min_values: int = 0
    stated: bool = False
    rival: str = ""

    @property
    def states_values(self) -> bool:
        """Whether all its classes have a value."""
        return all(entry.value is not None for entry in self.entries)

    @property
    def colors(self) -> dict[Color, ClassEntry]:
        """Classes by their color."""
        return {entry.color: entry for entry in self.entries if entry.color is not None}

    @property
    def objects(self) -> list[ClassEntry]:
        """Classes but background and what is ignored."""
        return [e for e in self.entries if not e.ignored and not is_background(e.name)]

    @property
    def has_background(self) -> bool:
        """Whether a class is the background by its name."""
        return any(is_background(entry.name) for entry in self.entries)

    @classmethod
    def of_values(
        cls, source: str, names: str, first: int = 0, void: int | None = None, min_values: int = 0
    ) -> "ClassMap":
        """Class map of consecutive values; `names` separated by commas."""
        entries = [ClassEntry(name, value) for value, name in enumerate(names.split(","), first)]
        if void is not None:
            entries.append(ClassEntry("void", void))
        return cls(tuple(entries), source, min_values)


def is_background(name: str) -> bool:
    """Whether a class is the background by its name."""
    return name.lower() in BACKGROUND_NAMES


PETS = ClassMap.of_values("Oxford-IIIT Pet", "pet,background,border", first=1, min_values=2)
CAMVID = ClassMap.of_values(
    "the SegNet version of CamVid",
    "Sky,Building,Pole,Road,Pavement,Tree,SignSymbol,Fence,Car,Pedestrian,Bicyclist",
    void=11,
    min_values=8,
)
VOC = ClassMap.of_values(
    "PASCAL VOC",
    "background,aeroplane,bicycle,bird,boat,bottle,bus,car,cat,chair,cow,diningtable,dog,horse,"
    "motorbike,person,pottedplant,sheep,sofa,train,tvmonitor",
    void=255,
    min_values=3,
)


def named_as_voc(stems: Iterable[str]) -> bool:
    """Whether images have names as those of PASCAL VOC, such as 2007_000032."""
    return all(re.search(r"20\d\d_\d+$", stem) for stem in stems)


def voc_color(label: int) -> Color:
    """Color of a label in the PASCAL VOC color map: its bits dealt out to red, green, blue."""
    red, green, blue = (
        sum((label >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(8))
        for channel in range(3)
    )
    return red, green, blue


_AERIAL = {
    **{"building": "#3C1098", "unpaved land": "#8429F6", "road": "#6EC1E4"},
    **{"vegetation": "#FEDD3A", "water": "#E2A929", "unlabeled": "#9B9B9B"},
}
VOC_VOID: Color = (224, 224, 192)
_VOC_VOID = ClassEntry("void", color=VOC_VOID)

KNOWN_COLORS = (
    ClassMap(
        tuple(ClassEntry(name, color=parse_color(color)) for name, color in _AERIAL.items()),
        "Semantic segmentation of aerial imagery (Humans in the Loop)",
        min_values=3,
    ),
    ClassMap(
        (*(ClassEntry(e.name, None, voc_color(e.value or 0)) for e in VOC.entries[:-1]), _VOC_VOID),
        "PASCAL VOC",
        min_values=10,
    ),
)
"""Class maps of public data sets, recognized by their colors."""
