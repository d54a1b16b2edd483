"""Class maps: which value or color of a mask stands for which class, in public data sets too."""

from dataclasses import dataclass

from maskwright.labels import Color, parse_color

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
    """Classes in order, and where they were read (`"class_dict.csv"`) or known from.

    At least `min_values` of its values must occur in masks before a map that is assumed is taken.
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


def voc_color(label: int) -> Color:
    """Color of a label in the PASCAL VOC color map: its bits dealt out to red, green, blue."""
    red = green = blue = 0
    for bit in range(8):
        red |= (label >> (3 * bit) & 1) << (7 - bit)
        green |= (label >> (3 * bit + 1) & 1) << (7 - bit)
        blue |= (label >> (3 * bit + 2) & 1) << (7 - bit)
    return red, green, blue


_AERIAL = {
    **{"building": "#3C1098", "unpaved land": "#8429F6", "road": "#6EC1E4"},
    **{"vegetation": "#FEDD3A", "water": "#E2A929", "unlabeled": "#9B9B9B"},
}
_VOC_VOID = ClassEntry("void", color=(224, 224, 192))

KNOWN_COLORS = (
    ClassMap(
        tuple(ClassEntry(name, color=parse_color(color)) for name, color in _AERIAL.items()),
        "Semantic segmentation of aerial imagery (Humans in the Loop)",
    ),
    ClassMap(
        (*(ClassEntry(e.name, None, voc_color(e.value or 0)) for e in VOC.entries[:-1]), _VOC_VOID),
        "PASCAL VOC",
    ),
)
"""Class maps of public data sets, recognized by their colors."""
