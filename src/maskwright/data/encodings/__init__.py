"""What mask values mean: encodings, class maps, and how both are inferred from the files.

A new mask encoding is a detector and a line in `DETECTORS`; a public data set with values of its
own is a line in `class_map.py`.
"""

from maskwright.data.encodings.class_map import ClassEntry, ClassMap
from maskwright.data.encodings.contents import MaskContents
from maskwright.data.encodings.encoding import Encoding
from maskwright.data.encodings.evidence import MaskEvidence
from maskwright.data.encodings.infer_encoding import DETECTORS, infer_encoding

__all__ = [
    "DETECTORS",
    "ClassEntry",
    "ClassMap",
    "Encoding",
    "MaskContents",
    "MaskEvidence",
    "infer_encoding",
]
