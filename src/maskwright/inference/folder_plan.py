"""What a user and a task give to the folder pipeline, and what comes out of it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from maskwright.data.samples import counted
from maskwright.errors import DataError
from maskwright.export.engines import Threads
from maskwright.imageio import MAX_PIXELS
from maskwright.inference.adjustments import Adjustments
from maskwright.inference.manifest import Record
from maskwright.inference.output_paths import Failure, Job, WorkItem
from maskwright.inference.predictor import Flips
from maskwright.model_card import ModelCard
from maskwright.types import Engine, OnMessage, show_alert

Result = TypeVar("Result")

Advance = Callable[[float], None]
"""Moves the progress bar on by some images, or by a share of one."""


@dataclass(frozen=True, slots=True)
class ReadImage:
    """An image that was read, and the fields of its `ManifestEntry` that are known so far.

    `pixels` are those of a small image whose overlay is wanted, else `None`; `bytes` is what it
    counted for while it was read ahead; `gap` is where it has no data, bool `(h, w)`, or `None`.
    """

    job: Job
    case: str
    size: tuple[int, int]
    prepared: Any
    pixels: np.ndarray | None
    entry: dict[str, Any]
    bytes: int
    gap: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """Images that were predicted together, to be written in a thread; `write` gives their record.

    `seconds` are those of the model for each image, `bytes` are held until the files are written.
    """

    images: tuple[ReadImage, ...]
    write: Callable[[], Record | None]
    seconds: float
    bytes: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """An image that cannot be predicted, and why."""

    image: ReadImage
    error: DataError


@dataclass(frozen=True, kw_only=True)
class FolderOptions:
    """How the images of a folder are predicted, and what is written.

    Args:
        flips: Test-time augmentation, as in `Predictor.__call__`.
        overlays: Draw the predictions over the images.
        overwrite: Predict again what an earlier run has predicted.
        engine: `"local"` works in this process, `"ray"` on a Ray cluster, of which all nodes must
            see model, images and output under the same paths.
        address: Address of a running Ray cluster; `None` starts one on this machine.
        large: Predict all images by windows, whatever their size.
        polygons: Write the masks as GeoJSON; predicts all images by windows.
        classes: Semantic model to merge with objects to panoptic masks.
        masks: Whether the images are a data set whose masks are used; `None` where the model has
            no segmenter.
        group_by: Column or pattern that names the case of an image.
        bounds: Write outer and inner masks that keep the promises of the model, and trust.csv.
        heat: Draw where in each region the decision comes from.
        max_pixels: Larger images are refused where they can only be decoded whole.
        allow_code: Open an exported model whose format can run code.
    """

    flips: Flips = False
    overlays: bool = True
    probabilities: bool = False
    batch_size: int = 8
    overwrite: bool = False
    engine: Engine = "local"
    address: str | None = None
    large: bool = False
    polygons: bool = False
    classes: str | Path | None = None
    masks: bool | None = None
    group_by: str | None = None
    heat: bool = False
    bounds: bool = False
    max_pixels: int = MAX_PIXELS
    allow_code: bool = False
    adjustments: Adjustments = field(default_factory=Adjustments)
    on_message: OnMessage = show_alert


@dataclass(frozen=True)
class FolderModel:
    """An opened model as the pipeline uses it; each task gives its functions.

    Args:
        prepare: From an image `(h, w, c)` and its job to what `predict` takes; called in threads.
            Raises `DataError` where the image does not suit the model.
        predict: From the images of one item after the other to work that writes their files;
            images that cannot be read are missing, and an item may so have none. Images of several
            items may be predicted together.
        predict_large: Writes all files of an image that is predicted by windows, and gives its
            height and width, px, and its record as `Work.write` does; `None` where the task does
            not predict by windows.
    """

    card: ModelCard
    prepare: Callable[[np.ndarray, Job], Any]
    predict: Callable[[Iterator[Iterable[ReadImage]], Advance], Iterator[Work | Rejected]]
    predict_large: Callable[[Job, Advance], tuple[tuple[int, int], Record | None]] | None = None


@dataclass(frozen=True)
class FolderResult:
    """What became of the images, each in their order; an earlier run had written the skipped.

    Paths are those of masks; of classes that overlap, those of `Job.mask`, which names an image.
    """

    written: tuple[Path, ...]
    failed: tuple[Failure, ...]
    skipped: tuple[Path, ...] = ()

    def output(self, folder: Path) -> Path:
        """Where to look first."""
        return folder

    def summary(self) -> str:
        """What was written, in a sentence."""
        done = len(self.skipped)
        total = len(self.written) + len(self.failed) + done
        text = f"Wrote {counted(len(self.written), 'mask')} for {counted(total, 'image')}"
        return f"{text}; skipped {done:,} done before." if done else f"{text}."


@dataclass(frozen=True)
class FolderPlan(Generic[Result]):
    """What a task does with the images of a folder.

    Args:
        items: What is predicted together, in the order of the tables.
        open: Opens the model; with `engine="ray"`, every worker calls it.
        finish: From what became of the images, and the records of all items that are done, to
            the result of the task; writes the tables.
        on_gpu: Whether a worker of a cluster can use a GPU.
    """

    items: Sequence[WorkItem]
    open: Callable[[Threads], FolderModel]
    finish: Callable[[FolderResult, list[Record]], Result]
    on_gpu: bool = False
