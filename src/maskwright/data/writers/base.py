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
        crowds: Whether it holds crowds as COCO does.
        overlaps: Whether it holds classes that overlap.
        shapes: Whether it lists shapes, so that what is in none is of a class background.
        cases: Whether it holds which images are of one case.
        volumes: Whether it holds volumes, each of which is a case when it is read.
        spacing: Whether it holds the size of a pixel.
        facts: Whether it holds weights and labels of images.
        classes: Names of the classes that it always has, where they are not those of the data.
        settings: File that is to be opened in place of the folder, where there is such.
    """

    name: str
    about: str
    write: Callable[[DataSet, Path], None]
    objects: bool = False
    crowds: bool = False
    overlaps: bool = False
    shapes: bool = False
    cases: bool = False
    volumes: bool = False
    spacing: bool = False
    facts: bool = False
    classes: tuple[str, ...] = ()
    settings: str = ""
