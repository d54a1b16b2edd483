"""Where data sets come from: readers that recognize a place, say how sure they are, list samples.

A new format is a file here with a `Reader` and a line in `READERS` of `resolve.py`; readers open
images only by the probe.
"""

from maskwright.data.readers.base import Layout, Place, Reader, Recognition
from maskwright.data.readers.description import Description, read_description, write_description
from maskwright.data.readers.manifest import read_manifest, write_manifest
from maskwright.data.readers.resolve import READERS, list_samples

__all__ = [
    "READERS",
    "Description",
    "Layout",
    "Place",
    "Reader",
    "Recognition",
    "list_samples",
    "read_description",
    "read_manifest",
    "write_description",
    "write_manifest",
]
