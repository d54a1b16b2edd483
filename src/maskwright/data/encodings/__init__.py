"""What mask values mean: encodings, class maps, and how both are inferred from the files.

A new mask encoding is a detector and a line in `DETECTORS`; a public data set with values of its
own is a line in `class_map.py`.
"""

from maskwright.data.encodings.class_map import (
    ClassEntry,
    ClassMap,
    find_class_map,
    read_class_map,
)
from maskwright.data.encodings.encoding import Encoding, MaskContents, read_contents
from maskwright.data.encodings.infer_encoding import DETECTORS, infer_encoding

__all__ = [
    "DETECTORS",
    "ClassEntry",
    "ClassMap",
    "Encoding",
    "MaskContents",
    "find_class_map",
    "infer_encoding",
    "read_class_map",
    "read_contents",
]
