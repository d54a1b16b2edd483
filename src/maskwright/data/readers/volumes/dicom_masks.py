"""Masks of DICOM: segmentation objects (SEG) and contours of radiotherapy (RTSTRUCT)."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from skimage.draw import polygon2mask

from maskwright.data.readers.volumes.dicom_series import Frame, Series
from maskwright.errors import DataError
from maskwright.imageio.dicom.files import read_dicom
from maskwright.imageio.dicom.image import dicom_stored
from maskwright.imageio.header import reading

_DAMAGE = (AttributeError, TypeError, ValueError, LookupError, NotImplementedError)
_SAME_PLANE_MM = 0.1  # between a contour and its image; coordinates are often rounded
_SAME_MM = 0.01  # by which equal places may differ
_SEGMENT = "SegmentIdentificationSequence"
_HALF = 0.5  # probability from which a pixel belongs to a fractional segment

FrameMask = tuple[int, str, np.ndarray]
"""Number of a frame in its series, class, and boolean mask `(h, w)`."""


@dataclass(frozen=True)
class MaskFile:
    """A SEG or RTSTRUCT file: its classes by number, and the series that it is on."""

    path: Path
    modality: str
    names: Mapping[int, str]
    series: frozenset[str]
    fractional: bool = False


def open_mask_file(path: Path, series_of: Mapping[str, str]) -> MaskFile:
    """What the header of a SEG or RTSTRUCT says; `series_of` gives the series of instances."""
    with reading(path):
        return _open(path, read_dicom(path, pixels=False), series_of)


def _open(path: Path, file: Any, series_of: Mapping[str, str]) -> MaskFile:
    modality = str(file.get("Modality"))
    try:
        if modality == "SEG":
            names = {int(s.SegmentNumber): str(s.SegmentLabel) for s in file.SegmentSequence}
            listed = {str(s.SeriesInstanceUID) for s in file.get("ReferencedSeriesSequence") or []}
        else:
            names = {int(r.ROINumber): str(r.ROIName) for r in file.StructureSetROISequence}
            listed = {
                str(series.SeriesInstanceUID)
                for reference in file.get("ReferencedFrameOfReferenceSequence") or []
                for study in reference.get("RTReferencedStudySequence") or []
                for series in study.get("RTReferencedSeriesSequence") or []
            }
        sources = {series_of.get(instance) for instance in _instances(file, modality)} - {None}
    except (AttributeError, TypeError, ValueError, KeyError):
        raise DataError(f"{path} lists no {_WHAT[modality]}; expected them by name.") from None
    names = {
        number: name.strip() or f"{_WHAT[modality]} {number}" for number, name in names.items()
    }
    fractional = str(file.get("SegmentationType")) == "FRACTIONAL"
    known = frozenset(str(uid) for uid in listed | sources)
    return MaskFile(path, modality, names, known, fractional)


_WHAT = {"SEG": "segments", "RTSTRUCT": "regions"}


def _instances(file: Any, modality: str) -> Iterator[str]:
    """SOP instance UIDs of the images that a file is on, as far as it states them."""
    if modality == "SEG":
        for group in file.get("PerFrameFunctionalGroupsSequence") or []:
            if (source := _source(group)) is not None:
                yield source[0]
        return
    for region in file.get("ROIContourSequence") or []:
        for contour in region.get("ContourSequence") or []:
            for image in contour.get("ContourImageSequence") or []:
                yield str(image.ReferencedSOPInstanceUID)


def frame_masks(mask: MaskFile, series: Series, others: Collection[str]) -> Iterator[FrameMask]:
    """Masks of classes on the frames of a series; `DataError` of another grid.

    `others` are instances of other series, on which masks of the same file may lie.
    """
    read = _segments if mask.modality == "SEG" else _regions
    try:
        with reading(mask.path):
            file = read_dicom(mask.path)
        yield from read(mask, file, series, others)
    except _DAMAGE as error:
        raise DataError(
            f"{mask.path} cannot be used ({error or type(error).__name__}): expected "
            f"{_WHAT[mask.modality]} on images of its series."
        ) from None


def _segments(
    mask: MaskFile, file: Any, series: Series, others: Collection[str]
) -> Iterator[FrameMask]:
    pixels = dicom_stored(mask.path, file, None)[..., 0]
    if pixels.shape[1:] != series.size:
        raise DataError(
            f"{mask.path} has segments of {pixels.shape[2]}x{pixels.shape[1]} pixels on images of "
            f"{series.size[1]}x{series.size[0]}; expected the same grid."
        )
    kind = str(file.get("SegmentationType"))
    least = float(file.get("MaximumFractionalValue") or 255) * _HALF if mask.fractional else 1
    numbers = {(frame.instance, frame.index): n for n, frame in enumerate(series.frames)}
    for plane, group in zip(pixels, file.PerFrameFunctionalGroupsSequence, strict=True):
        if not plane.any():
            continue
        number = _frame_number(file, group, series, numbers)
        if number is None:
            source = _source(group)
            if (source is not None and source[0] not in others) or not others:
                raise DataError(
                    f"{mask.path} has a segment on none of the images of its series; expected all "
                    f"of them in the data set."
                )
            continue
        if kind == "LABELMAP":
            for value in np.unique(plane[plane > 0]).tolist():
                yield number, mask.names[value], plane == value
        else:
            shared = (file.get("SharedFunctionalGroupsSequence") or [{}])[0]
            groups = (group, shared)  # the second where all frames are of one segment
            stated = [each[_SEGMENT][0] for each in groups if each.get(_SEGMENT)]
            segment = int(stated[0].ReferencedSegmentNumber)
            yield number, mask.names[segment], plane >= least


def _source(group: Any) -> tuple[str, int] | None:
    """Instance and number of the frame that a frame of a SEG was drawn on."""
    derivation = (group.get("DerivationImageSequence") or [None])[0]
    source = (derivation.get("SourceImageSequence") or [None])[0] if derivation else None
    if source is None:
        return None
    frame = source.get("ReferencedFrameNumber") or 1
    frame = frame if isinstance(frame, int | str) else frame[0]
    return str(source.ReferencedSOPInstanceUID), int(frame) - 1


def _frame_number(
    file: Any, group: Any, series: Series, numbers: Mapping[tuple[str, int], int]
) -> int | None:
    """Number of the frame in a series, by the source that is stated, else by its place."""
    if (source := _source(group)) is not None and source in numbers:
        return numbers[source]
    if not group.get("PlanePositionSequence"):
        return None
    shared = (file.get("SharedFunctionalGroupsSequence") or [{}])[0]
    planes = (group.get("PlaneOrientationSequence"), shared.get("PlaneOrientationSequence"))
    cosines = next((plane[0].ImageOrientationPatient for plane in planes if plane), None)
    place = np.array([float(v) for v in group.PlanePositionSequence[0].ImagePositionPatient])
    found = []
    for number, frame in enumerate(series.frames):
        if frame.position is None or frame.directions is None or cosines is None:
            continue
        turned = np.abs(np.ravel(frame.directions) - np.array(cosines, float)).max() > _SAME_MM
        if not turned and np.abs(place - frame.position).max() <= _SAME_MM:
            found.append(number)
    if len(found) > 1:
        raise ValueError("several images in one place, and a segment that names none of them")
    return found[0] if found else None


def _regions(
    mask: MaskFile, file: Any, series: Series, others: Collection[str]
) -> Iterator[FrameMask]:
    """Contours in the plane of an image, filled; of contours in each other, every second is out."""
    numbers = {frame.instance: n for n, frame in enumerate(series.frames)}
    for region in file.get("ROIContourSequence") or []:
        name = mask.names[int(region.ReferencedROINumber)]
        masks: dict[int, np.ndarray] = {}
        for contour in region.get("ContourSequence") or []:
            if str(contour.get("ContourGeometricType")) != "CLOSED_PLANAR":
                continue  # points and open lines have no area
            points = np.array([float(v) for v in contour.ContourData]).reshape(-1, 3)
            images = contour.get("ContourImageSequence") or []
            instance = str(images[0].ReferencedSOPInstanceUID) if images else ""
            if instance in others:
                continue
            number = numbers.get(instance, _nearest(points, series))
            if number is None:
                raise DataError(
                    f"{mask.path} has a contour of {name} in the plane of no image; expected all "
                    f"images of the series in the data set."
                )
            inside = polygon2mask(series.size, _pixels(points, series.frames[number], mask.path))
            masks[number] = masks[number] ^ inside if number in masks else inside
        yield from ((number, name, inside) for number, inside in masks.items())


def _nearest(points: np.ndarray, series: Series) -> int | None:
    """Number of the frame whose plane a contour lies in."""
    for number, frame in enumerate(series.frames):
        if frame.position is not None and frame.directions is not None:
            normal = np.cross(*np.array(frame.directions))
            if np.abs((points - frame.position) @ normal).max() <= _SAME_PLANE_MM:
                return number
    return None


def _pixels(points: np.ndarray, frame: Frame, path: Path) -> np.ndarray:
    """Rows and columns `(n, 2)` of points in mm."""
    if frame.position is None or frame.directions is None or frame.spacing_mm is None:
        raise DataError(f"{path} has contours in mm, but {frame.path} states no place or spacing.")
    along_row, along_column = np.array(frame.directions)
    moved = points - np.array(frame.position)
    rows, columns = frame.spacing_mm
    return np.stack([moved @ along_column / rows, moved @ along_row / columns], axis=1)
