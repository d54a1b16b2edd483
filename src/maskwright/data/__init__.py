"""From files to batches: places recognized, masks understood, samples divided, read and augmented.

A new format of annotations goes into `readers/`, of mask values into `encodings/`, an augmentation
into `pipeline/`; nothing here knows which task it serves.
"""

from maskwright.data.dataset import DataSet
from maskwright.data.encodings.encoding import Encoding
from maskwright.data.opening import open_dataset, write_yaml
from maskwright.data.samples import Sample

__all__ = ["DataSet", "Encoding", "Sample", "open_dataset", "write_yaml"]
