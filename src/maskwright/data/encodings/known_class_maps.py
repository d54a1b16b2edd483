"""Class maps of public data sets, which their files do not state."""

from maskwright.data.encodings.class_map import ClassEntry, ClassMap
from maskwright.labels import Color, parse_color

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


KNOWN_COLORS = (
    ClassMap(
        tuple(
            ClassEntry(name, color=parse_color(color))
            for name, color in (
                ("building", "#3C1098"),
                ("unpaved land", "#8429F6"),
                ("road", "#6EC1E4"),
                ("vegetation", "#FEDD3A"),
                ("water", "#E2A929"),
                ("unlabeled", "#9B9B9B"),
            )
        ),
        "Semantic segmentation of aerial imagery (Humans in the Loop)",
    ),
    ClassMap(
        (
            *(
                ClassEntry(entry.name, color=voc_color(entry.value or 0))
                for entry in VOC.entries
                if not entry.ignored
            ),
            ClassEntry("void", color=(224, 224, 192)),
        ),
        "PASCAL VOC",
    ),
)
"""Class maps of public data sets, recognized by their colors."""
