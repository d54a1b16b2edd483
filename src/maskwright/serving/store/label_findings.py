"""Masks of a data set that an audit of labels doubts, read for the page to correct them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ValidationError

from maskwright.data import DataSet, Sample, open_dataset
from maskwright.data.layers import layer_labels, read_layers
from maskwright.errors import ConfigError, DataError
from maskwright.serving.jobs.fair_pool import need_pixels
from maskwright.serving.jobs.probability_grid import GRID_PIXELS, PixelGrid
from maskwright.serving.store.image_store import ImageStore
from maskwright.serving.store.upload import Upload
from maskwright.tasks.serving import ServedModel

_FILE = "audit.json"
_AGAIN = "run `maskwright audit` again"


class AuditedPiece(BaseModel):
    """The piece of a mask to look at: classes by name, `box` as top, left, bottom and right."""

    box: tuple[int, int, int, int]
    given: str
    predicted: str
    area_px: int


class _AuditedMask(BaseModel):
    image: str
    split: str
    score: float
    piece: AuditedPiece | None


class _Audit(BaseModel):
    """What is used of audit.json."""

    source: str
    classes: list[str]
    overlapping: bool
    masks: list[_AuditedMask]


@dataclass(frozen=True)
class LabelFinding:
    """A mask that may be wrong: its sample, with the split it was audited in, and the piece."""

    sample: Sample
    split: str
    score: float
    piece: AuditedPiece


@dataclass(frozen=True)
class LabelFindings:
    """Masks that an audit doubts, those least agreed with first, and the data set they are of.

    `classes` are those of the audit; where they are `overlapping`, each has a layer.
    """

    dataset: DataSet
    items: tuple[LabelFinding, ...]
    classes: tuple[str, ...]
    overlapping: bool = False

    def require_any(self, models: Iterable[ServedModel]) -> None:
        """Raise `ConfigError` if none of some models predicts the classes of the audit."""
        reasons = []
        for served in models:
            try:
                self.require_classes(served)
            except ConfigError as error:
                reasons.append(error)
            else:
                return
        if reasons:
            raise reasons[0]

    def require_classes(self, served: ServedModel) -> None:
        """Raise `ConfigError` unless a model predicts the audited classes, as the data has them."""
        segmenter = served.segmenter
        if segmenter is None:
            other = "predicts no masks"
        elif segmenter.has_objects:
            other = "predicts single objects"
        else:
            first, *_ = segmenter.layers
            names = tuple(layer.name for layer in segmenter.layers)
            names = names if first.name else first.labels.names
            if (bool(first.name), names) == (self.overlapping, self.classes):
                return
            other = f"has {', '.join(names)}{', which overlap' if first.name else ''}"
        overlap = ", which overlap" if self.overlapping else ""
        raise ConfigError(
            f"The audit is of masks with the classes {', '.join(self.classes)}{overlap}, and the "
            f"model {served.name} {other}; serve a model that predicts these classes."
        )

    def layer_of(self, finding: LabelFinding) -> str:
        """The layer that the piece of a finding is in; `""` where classes do not overlap."""
        if not self.overlapping:
            return ""
        piece = finding.piece
        return piece.given if piece.given in self.classes else piece.predicted

    def load(self, place: int, served: ServedModel, images: ImageStore) -> Upload:
        """Store the image of a finding for a model, and its mask as a mask that was drawn.

        Raises:
            ConfigError: As `require_classes`.
            DataError: If its files cannot be read any more, or it is too large to correct it.
        """
        self.require_classes(served)
        images.check()
        sample = self.items[place].sample
        header = self.dataset.header(sample.image)
        size = (header.height, header.width)
        if PixelGrid.over(size).scale > 1:
            raise DataError(
                f"{sample.id} has {size[1]}x{size[0]} pixels; the page corrects masks of data sets "
                f"up to {GRID_PIXELS:,} pixels, at which no detail of them is lost."
            )
        need_pixels(size[0] * size[1])
        read = read_layers if self.overlapping else DataSet.read
        _, labels = read(self.dataset, sample)
        with sample.image.open("rb") as file:
            upload = images.add(sample.image.name, served, file)
        try:
            if upload.size != labels.shape[:2]:
                raise DataError(f"{sample.id}: the page reads it in another size than its mask.")
            planes = np.moveaxis(np.atleast_3d(labels.astype(np.uint8)), -1, 0)
            with upload.in_use():
                for mask, plane in zip(upload.masks, planes, strict=True):
                    mask.start_from(plane)
        except BaseException:
            images.drop(upload.id)
            raise
        return upload


def open_findings(folder: Path) -> LabelFindings:
    """Open what `maskwright audit` wrote into a folder, and the data set that it audited.

    Raises:
        ConfigError: If the folder holds no such audit, or the data set has changed since.
        DataError: If the data set cannot be opened.
    """
    audit = _read(folder)
    try:
        # Masks are the same however the data is divided.
        dataset = open_dataset(audit.source, val_share=0.0, test_share=0.0)
    except DataError as error:
        raise DataError(f"The data that {folder / _FILE} is of cannot be opened: {error}") from None
    labels = layer_labels(dataset.labels) if audit.overlapping else dataset.labels
    if list(labels.names) != audit.classes:
        raise ConfigError(
            f"{folder / _FILE} is of the classes {', '.join(audit.classes)}, and {audit.source} "
            f"now has {', '.join(labels.names)}; {_AGAIN}."
        )
    samples = {sample.id: sample for sample in dataset.samples}
    doubted = [(mask, mask.piece) for mask in audit.masks if mask.piece is not None]
    if gone := [mask.image for mask, _ in doubted if mask.image not in samples]:
        raise ConfigError(
            f"{audit.source} no longer has {len(gone)} of the {len(doubted)} masks that "
            f"{folder / _FILE} lists, such as {gone[0]}; {_AGAIN}."
        )
    items = (LabelFinding(samples[m.image], m.split, m.score, piece) for m, piece in doubted)
    return LabelFindings(dataset, tuple(items), labels.names, audit.overlapping)


def _read(folder: Path) -> _Audit:
    expected = f"Expected the folder that `maskwright audit` wrote, with its {_FILE}"
    try:
        return _Audit.model_validate_json((folder / _FILE).read_bytes())
    except OSError as error:
        raise ConfigError(f"{expected}; {folder / _FILE}: {error.strerror}.") from None
    except ValidationError:
        raise ConfigError(f"{expected}; that in {folder} is another file: {_AGAIN}.") from None
