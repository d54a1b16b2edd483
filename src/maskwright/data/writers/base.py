"""What a writer of data sets is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from maskwright.data.dataset import DataSet


@dataclass(frozen=True)
class Writer:
    """Writer of one format.

    Args:
        name: Of the format, as `--to` takes it.
        about: For people, as `"COCO annotations with polygons"`.
        write: Writes a whole data set into an empty folder; `DataError` where the format cannot
            hold it.
        objects: Whether it holds objects one by one, not only a mask of classes.
        cases: Whether it holds which images are of one case.
        facts: Whether it holds weights and labels of images.
    """

    name: str
    about: str
    write: Callable[[DataSet, Path], None]
    objects: bool = False
    cases: bool = False
    facts: bool = False
