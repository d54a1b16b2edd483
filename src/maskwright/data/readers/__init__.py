"""Where data sets come from: readers that recognize a place, say how sure they are, list samples.

A new format is a file here with a `Reader` and a line in `READERS` of `resolve.py`; readers open
images only by the probe.
"""

from maskwright.data.readers.base import Layout, Place, Reader, Recognition
from maskwright.data.readers.resolve import READERS, list_samples

__all__ = ["READERS", "Layout", "Place", "Reader", "Recognition", "list_samples"]
