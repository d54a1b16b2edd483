"""From files to batches: layouts recognized, masks understood, samples divided and read."""

from maskwright.data.dataset import DataSet, open_dataset, write_yaml
from maskwright.data.encodings.encoding import Encoding
from maskwright.data.samples import Sample

__all__ = ["DataSet", "Encoding", "Sample", "open_dataset", "write_yaml"]
